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


def of(*entries: Entry, days: float = 7, prices: Any = None) -> Report:
    filters = Filters(NOW - timedelta(days=days), NOW)
    return report(entries, filters, END, read(prices or {}), "EUR")


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
    )
    assert asdict(found.totals) == {
        "attempts": 8,
        "interruptions": 4,
        "forgiven": 3,
        "no_capacity": 1,
        "on_demand_fallbacks": 1,
        "false_alarms": 1,
        "spot_hours": 5.0,
        "on_demand_hours": 1.0,
        "lost_hours": 3.0,
    }


def test_who_was_hit_the_most_interrupted_first() -> None:
    found = of(
        entry(**LOST, dag_id="one", zone="b"),
        entry(**LOST, dag_id="two"),
        entry(**LOST, dag_id="two", task_id="other"),
        entry(dag_id="lucky"),
    )
    assert [asdict(share) for share in found.by_dag] == [
        {"value": "two", "interruptions": 2, "lost_hours": 2.0},
        {"value": "one", "interruptions": 1, "lost_hours": 1.0},
    ]
    assert [share.value for share in found.by_task] == ["one.task", "two.other", "two.task"]
    assert [share.value for share in found.by_zone] == ["a", "b"]
    assert [share.value for share in found.by_cause] == ["spot_interruption"]
    assert [share.value for share in found.by_instance_type] == ["m5"]


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
