# SPDX-License-Identifier: Apache-2.0
"""Which attempts a report is about."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_interruptible.report.entry import Entry
from airflow_interruptible.report.filters import Filters, time_range

NOW = datetime(2026, 1, 8, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def entry(**said: Any) -> Entry:
    plain = Entry(
        row=1, dag_id="dag", run_id="run", task_id="task", map_index=-1, attempt=1, capacity="spot", cause=None,
        charge=None, zone="a", instance_type="m5", start=0.0, end=NOW.timestamp() - 60, noticed=False, fallback=False,
    )  # fmt: skip
    return plain._replace(**said)


def chosen(filters: Filters, *entries: Entry, readable: set[str] | None = None) -> list[Entry]:
    return filters.chosen(entries, NOW.timestamp(), readable)


def test_an_attempt_belongs_where_it_ended() -> None:
    yesterday = entry(end=(NOW - DAY).timestamp())
    assert chosen(Filters(NOW - 2 * DAY, NOW), yesterday) == [yesterday]
    assert chosen(Filters(NOW - DAY / 2, NOW), yesterday) == []
    assert chosen(Filters(NOW - 3 * DAY, NOW - 2 * DAY), yesterday) == []


def test_what_runs_belongs_to_now() -> None:
    running = entry(end=math.inf)
    assert chosen(Filters(NOW - DAY, NOW), running) == [running]
    assert chosen(Filters(NOW - DAY, NOW + DAY), running) == [running]
    assert chosen(Filters(NOW - DAY, NOW - timedelta(seconds=1)), running) == [running], "the question took its time"
    assert chosen(Filters(NOW - DAY, NOW - DAY / 2), running) == []


@pytest.mark.parametrize("name", ["dag_id", "task_id", "zone", "instance_type", "capacity"])
def test_each_field_is_compared(name: str) -> None:
    one, other = entry(**{name: "this"}), entry(**{name: "that"})
    assert chosen(Filters(NOW - DAY, NOW, **{name: "this"}), one, other) == [one]


@pytest.mark.parametrize("name", ["dag_id", "task_id", "zone", "instance_type"])
def test_a_part_of_a_name_is_enough_in_any_case(name: str) -> None:
    one, other = entry(**{name: "etl_Nightly"}), entry(**{name: "train"})
    assert chosen(Filters(NOW - DAY, NOW, **{f"{name}_pattern": "NIGHT"}), one, other) == [one]


def test_a_cause_chooses_no_attempts() -> None:
    both = [entry(cause="infrastructure"), entry()]
    assert chosen(Filters(NOW - DAY, NOW, cause="no_capacity"), *both) == both


def test_the_period_before_is_as_long_and_asks_the_same() -> None:
    assert Filters(NOW - DAY, NOW, dag_id="dag").before() == Filters(NOW - 2 * DAY, NOW - DAY, dag_id="dag")


def test_what_may_not_be_read_is_not_there() -> None:
    mine, theirs = entry(dag_id="mine"), entry(dag_id="theirs")
    week = Filters(NOW - DAY, NOW)
    assert chosen(week, mine, theirs, readable={"mine"}) == [mine]
    assert chosen(week, mine, theirs, readable=set()) == []
    assert chosen(week, mine, theirs) == [mine, theirs]


def test_a_range_is_the_last_week_unless_said() -> None:
    assert time_range(None, None, NOW) == (NOW - 7 * DAY, NOW)
    naive = datetime(2026, 1, 2)
    assert time_range(naive, None, NOW) == (datetime(2026, 1, 2, tzinfo=timezone.utc), NOW)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-02T00:00:00"])
def test_a_time_out_of_any_calendar_is_refused(time: str) -> None:
    with pytest.raises(ValueError, match="year"):
        time_range(None, datetime.fromisoformat(time), NOW)


@pytest.mark.parametrize("end", [NOW, NOW - DAY, NOW + timedelta(days=367)])
def test_a_range_that_cannot_be_meant_is_refused(end: datetime) -> None:
    with pytest.raises(ValueError, match="The range must"):
        Filters(NOW, end)
