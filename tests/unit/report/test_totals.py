# SPDX-License-Identifier: Apache-2.0
"""What many attempts come to."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_interruptible.core.prices import read
from airflow_interruptible.report.entry import Entry
from airflow_interruptible.report.filters import Filters
from airflow_interruptible.report.totals import Report, report

NOW = datetime(2026, 1, 8, 12, tzinfo=timezone.utc)
END = NOW.timestamp()
HOUR = 3600.0


def entry(**said: Any) -> Entry:
    plain = Entry(
        row=1, dag_id="dag", run_id="run", task_id="task", map_index=-1, attempt=1, capacity="spot", cause=None,
        charge=None, zone="a", instance_type="m5", start=END - HOUR, end=END, noticed=False, fallback=False,
    )  # fmt: skip
    return plain._replace(**said)


LOST = {"cause": "spot_interruption", "charge": "system"}


PRICES = {"default": {"spot": 0.1, "on_demand": 0.3}}


def of(*entries: Entry, days: float = 7, prices: Any = None, cause: str | None = None, **more: Any) -> Report:
    filters = Filters(NOW - timedelta(days=days), NOW, cause=cause)
    return report(entries, filters, END, read(prices or {}), "EUR", **more)


def test_nothing_comes_to_nothing() -> None:
    found = of()
    assert set(asdict(found.totals).values()) == {0}
    assert (found.savings, found.by_dag, len(found.over_time)) == (None, [], 8)


def test_every_sum() -> None:
    found = of(
        entry(),
        entry(**LOST, start=END - 2 * HOUR),
        entry(cause="infrastructure", charge="user", capacity="on-demand", fallback=True),
        entry(cause="no_capacity", charge="system", start=None),
        entry(cause="application", charge="user", noticed=True),
        entry(**LOST, noticed=True, start=END),
        entry(end=math.inf, noticed=True),
        entry(capacity=None),
        entry(placed=False, start=END - 4 * HOUR),
    )
    assert asdict(found.totals) == {
        "attempts": 9,
        "interruptions": 4,
        "forgiven": 3,
        "no_capacity": 1,
        "on_demand_fallbacks": 1,
        "false_alarms": 1,
        "spot_hours": 5.0,
        "on_demand_hours": 1.0,
        "unplaced_hours": 4.0,
        "lost_hours": 3.0,
    }


def test_what_nobody_moved_has_saved_nothing() -> None:
    found = of(entry(placed=False), prices={"default": {"spot": 0.1, "on_demand": 0.4}}).savings
    assert found is not None
    assert found.amount == 0
    assert "1.0 hours saved nothing: compute is none, so nothing was moved." in found.note


def test_who_was_hit_the_most_interrupted_first() -> None:
    found = of(
        entry(**LOST, dag_id="one", zone="b"),
        entry(**LOST, dag_id="two"),
        entry(**LOST, dag_id="two", task_id="other"),
        entry(dag_id="lucky"),
    )
    assert [(share.value, share.interruptions, share.lost_hours) for share in found.by_dag] == [
        ("two", 2, 2.0),
        ("one", 1, 1.0),
        ("lucky", 0, 0.0),
    ]
    assert [share.value for share in found.by_task] == ["one.task", "two.other", "two.task", "lucky.task"]
    assert [share.value for share in found.by_zone] == ["a", "b"]
    assert [share.value for share in found.by_cause] == ["spot_interruption"]
    assert [share.value for share in found.by_instance_type] == ["m5"]


def test_rates_have_denominators() -> None:
    found = of(
        entry(**LOST, zone="b"),
        entry(zone="b", start=END - 3 * HOUR),
        entry(zone="b", capacity="on-demand", cause="infrastructure", charge="system"),
        entry(zone="never", capacity="on-demand"),
    )
    b, never = found.by_zone
    assert (b.attempts, b.spot_hours, b.interruptions, b.spot_interruptions) == (3, 4.0, 2, 1)
    assert (b.per_attempt, b.per_spot_hour) == (2 / 3, 0.25), "what was lost on demand says nothing of spot"
    assert (never.per_attempt, never.per_spot_hour) == (0.0, None)
    (cause, _) = sorted(found.by_cause, key=lambda share: share.value, reverse=True)
    assert (cause.value, cause.attempts, cause.spot_hours, cause.per_spot_hour) == ("spot_interruption", 4, 4.0, 0.25)


def test_a_cause_changes_what_is_listed_and_nothing_else() -> None:
    everything = (
        entry(**LOST, noticed=True),
        entry(cause="infrastructure", charge="user", start=END - 2 * HOUR, zone="b"),
        entry(capacity="on-demand", fallback=True),
        entry(start=END - 5 * HOUR),
    )
    whole, part = of(*everything, prices=PRICES), of(*everything, prices=PRICES, cause="spot_interruption")
    assert (part.totals.interruptions, part.totals.forgiven) == (1, 1)
    unchanged = {"attempts", "spot_hours", "on_demand_hours", "lost_hours", "on_demand_fallbacks", "false_alarms"}
    for name in unchanged:
        assert getattr(part.totals, name) == getattr(whole.totals, name)
    assert part.savings == whole.savings
    assert [(share.value, share.interruptions) for share in part.by_zone] == [("a", 1), ("b", 0)]
    assert [share.saved for share in part.by_dag] == [share.saved for share in whole.by_dag]
    assert part.by_zone[0].per_spot_hour == 1 / 6
    assert [bucket["infrastructure"] for bucket in part.over_time] == [0] * 8
    assert [bucket["attempts"] for bucket in part.over_time] == [bucket["attempts"] for bucket in whole.over_time]


def test_time_off_a_machine_costs_nothing() -> None:
    came_back = entry(start=END - 3 * HOUR, away=2.5 * HOUR)
    still_gone = entry(start=END - 3 * HOUR, end=math.inf, left=END - 2.75 * HOUR)
    found = of(came_back, still_gone, prices=PRICES)
    assert found.totals.spot_hours == 0.75
    assert found.savings is not None
    assert round(found.savings.amount, 6) == round(0.75 * 0.2, 6)
    assert found.on_spot_now == 0
    assert of(entry(end=math.inf), entry(end=math.inf, start=None), entry(capacity="on-demand")).on_spot_now == 1


def test_what_a_checkpoint_had_saved_is_not_lost() -> None:
    saved = entry(**LOST, start=END - 10 * HOUR, saved=END - HOUR)
    before_it_began = entry(**LOST, saved=END - 10 * HOUR)
    found = of(saved, before_it_began, prices=PRICES)
    assert found.totals.lost_hours == 2.0
    assert found.by_cause[0].lost_hours == 2.0
    assert found.savings is not None
    assert round(found.savings.amount, 6) == round(9 * 0.3 - 11 * 0.1, 6)


def test_money_of_each_dag_and_task_adds_up_to_all_of_it() -> None:
    found = of(entry(), entry(dag_id="other", **LOST), entry(task_id="more", instance_type="c5"), prices=PRICES)
    assert found.savings is not None
    for shares in (found.by_dag, found.by_task, found.by_zone, found.by_instance_type):
        assert round(sum(share.saved or 0 for share in shares), 6) == round(found.savings.amount, 6)
    assert round(sum(bucket["saved"] for bucket in found.over_time), 6) == round(found.savings.amount, 6)
    assert {share.saved for share in of(entry()).by_dag} == {None}


def test_the_time_to_recover() -> None:
    assert of(entry(**LOST)).recovery is None
    only = of(entry(**LOST, recovered=1.0), entry(cause="no_capacity", recovered=9.0), cause="no_capacity").recovery
    assert only is not None
    assert (only.count, only.median) == (1, 9.0)


def test_the_period_before_and_what_is_not_known_any_more() -> None:
    assert of(entry()).before is None
    earlier = of(entry(), before=[entry(**LOST), entry()]).before
    assert earlier is not None
    assert (earlier.attempts, earlier.interruptions) == (2, 1)
    short = of(entry(), known_since=NOW - timedelta(days=2))
    assert [str(bucket["start"])[:10] for bucket in short.over_time] == ["2026-01-06", "2026-01-07", "2026-01-08"]
    assert short.to_json()["known_since"] == "2026-01-06T12:00:00+00:00"
    assert len(of(entry(), known_since=NOW - timedelta(days=20)).over_time) == 8


def test_no_more_values_than_a_person_reads() -> None:
    assert len(of(*[entry(**LOST, dag_id=f"dag_{number}") for number in range(300)]).by_dag) == 100


def test_days_or_hours() -> None:
    lost = entry(**LOST, end=END - 1.5 * HOUR)
    week, day = of(lost), of(lost, days=1)
    assert [bucket["spot_interruption"] for bucket in week.over_time] == [0] * 7 + [1]
    assert week.over_time[-1]["start"] == datetime(2026, 1, 8, tzinfo=timezone.utc)
    assert {str(bucket["start"]): bucket["spot_interruption"] for bucket in day.over_time}["2026-01-08 10:00:00+00:00"]
    assert len(day.over_time) == 25


def test_savings_say_from_what() -> None:
    prices = {"default": {"spot": 0.1, "on_demand": 0.3}}
    found = of(entry(), entry(**LOST), entry(capacity="on-demand"), prices=prices).savings
    assert found is not None
    assert (round(found.amount, 6), found.currency, found.spot_price, found.on_demand_price) == (0.1, "EUR", 0.1, 0.3)
    assert found.note.startswith("An estimate: the 2.0 hours on spot")
    assert "left out" not in found.note
    only = of(entry(), prices={"c5": {"spot": 1, "on_demand": 2}}).savings
    assert only is not None
    assert (only.amount, only.spot_price) == (0.0, None)
    assert "1.0 hours are left out" in only.note


def test_it_is_json() -> None:
    document = json.loads(json.dumps(of(entry(**LOST)).to_json()))
    assert document["start"] == "2026-01-01T12:00:00+00:00"
    assert document["over_time"][0]["start"] == "2026-01-01T00:00:00+00:00"
