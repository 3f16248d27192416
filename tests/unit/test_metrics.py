# SPDX-License-Identifier: Apache-2.0
"""What is counted, and that each fact is counted once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import Attempt, History
from airflow_interruptible.ledger import Ledger, Record
from airflow_interruptible.metrics import TaskMetrics, uncounted

if TYPE_CHECKING:
    from collections.abc import Mapping

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
ROOT = Path(__file__).parents[2]
BUDGET = Budget(2, 3)
NOON, LATER = "2026-01-01T12:00:00.000+00:00", "2026-01-01T12:00:30.000+00:00"


@dataclass
class Sent:
    """Airflow's metrics, which remember."""

    counts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    times: list[tuple[str, timedelta]] = field(default_factory=list)
    broken: bool = False

    def incr(self, stat: str, *, tags: Mapping[str, str]) -> None:
        if self.broken:
            raise OSError
        self.counts.append((stat.removeprefix("interruptible."), dict(tags)))

    def timing(self, stat: str, dt: timedelta, *, tags: Mapping[str, str]) -> None:
        if self.broken:
            raise OSError
        assert tags["cause"]
        self.times.append((stat.removeprefix("interruptible."), dt))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.counts]


def metrics(**kwargs: Any) -> tuple[TaskMetrics, Sent]:
    sent = Sent(**kwargs)
    return TaskMetrics(sent, "dag", "work"), sent


def attempt(cause: Cause, charge: Charge = Charge.SYSTEM, capacity: CapacityType = SPOT) -> Attempt:
    return Attempt(1, capacity, cause, charge)


# -- one attempt


def test_a_forgiven_interruption() -> None:
    task, sent = metrics()
    task.interrupted(attempt(Cause.SPOT_INTERRUPTION), Record(started=NOON, ended=LATER))
    tags = {"dag_id": "dag", "task_id": "work", "cause": "spot_interruption", "capacity": "spot"}
    assert sent.counts == [("interruptions", tags), ("forgiven", tags)]
    assert sent.times == [("lost", timedelta(seconds=30))]


def test_one_that_the_author_pays_for_is_not_forgiven() -> None:
    task, sent = metrics()
    task.interrupted(attempt(Cause.INFRASTRUCTURE, Charge.USER, ON_DEMAND), None)
    assert sent.names == ["interruptions"]
    assert sent.times == []


def test_no_capacity_is_counted_twice_under_two_names() -> None:
    task, sent = metrics()
    task.interrupted(attempt(Cause.NO_CAPACITY), Record(ended=LATER))
    assert sent.names == ["interruptions", "forgiven", "no_capacity"]
    assert sent.times == [], "it never ran"


def test_two_clocks_never_make_a_time_below_zero() -> None:
    task, sent = metrics()
    task.interrupted(attempt(Cause.SPOT_INTERRUPTION), Record(started=LATER, ended=NOON))
    assert sent.times == [("lost", timedelta(0))]


@pytest.mark.parametrize("wrong", ["yesterday", ""])
def test_a_time_that_cannot_be_read_is_left_out(wrong: str) -> None:
    task, sent = metrics()
    task.interrupted(attempt(Cause.SPOT_INTERRUPTION), Record(started=NOON, ended=wrong))
    assert sent.names == ["interruptions", "forgiven"]
    assert sent.times == []


def test_metrics_that_cannot_be_sent_break_nothing() -> None:
    task, sent = metrics(broken=True)
    task.interrupted(attempt(Cause.NO_CAPACITY), Record(started=NOON, ended=LATER))
    task.noticed("ec2", SPOT)
    task.false_alarm("ec2", None, SPOT)
    assert sent.counts == sent.times == []


def test_a_false_alarm_says_how_the_attempt_ended() -> None:
    task, sent = metrics()
    task.false_alarm("gce", Cause.APPLICATION, SPOT)
    task.false_alarm("gce", None, SPOT)
    assert [(tags["cause"], tags["provider"]) for _, tags in sent.counts] == [("application", "gce"), ("none", "gce")]


# -- the beginning of an attempt


def history(*causes: Cause, interruptible: bool = True) -> History:
    found = History(interruptible, Account(BUDGET))
    for cause in causes:
        found = found.after(Record(cause=cause, started=NOON).trace)
    return found


def begin(capacity: CapacityType, before: History, ended: str | None = NOON) -> Sent:
    task, sent = metrics()
    records = {a.number: Record(cause=a.cause, ended=ended) for a in before.attempts}
    task.began(before, Ledger(records=records), capacity, LATER)
    return sent


def test_an_attempt_after_an_interruption_ends_the_standstill() -> None:
    assert begin(SPOT, history(Cause.SPOT_INTERRUPTION)).times == [("recovery", timedelta(seconds=30))]


@pytest.mark.parametrize("before", [history(), history(Cause.APPLICATION)])
def test_nothing_else_has_one(before: History) -> None:
    sent = begin(SPOT, before)
    assert sent.counts == sent.times == []


def test_an_end_that_nobody_saw_has_none() -> None:
    assert begin(SPOT, history(Cause.SPOT_INTERRUPTION), ended=None).times == []


@pytest.mark.parametrize(("before", "cause"), [(history(), "none"), (history(Cause.NO_CAPACITY), "no_capacity")])
def test_an_interruptible_task_on_demand_has_fallen_back(before: History, cause: str) -> None:
    ((name, tags),) = begin(ON_DEMAND, before).counts
    assert (name, tags["cause"], tags["capacity"]) == ("fallbacks", cause, "on-demand")


def test_a_task_that_is_not_interruptible_has_not() -> None:
    assert begin(ON_DEMAND, history(interruptible=False)).counts == []


# -- once


def test_who_writes_the_charge_first_counts() -> None:
    silent = Ledger(records={1: Record(SPOT, started=NOON)})
    after = history(Cause.SPOT_INTERRUPTION)
    assert [a.number for a in uncounted(silent, after)] == [1]
    assert uncounted(silent.with_charges(after), after) == []


def test_an_attempt_without_any_record_is_counted_by_the_next() -> None:
    assert [a.number for a in uncounted(Ledger(), history(Cause.INFRASTRUCTURE))] == [1]


def test_evidence_that_makes_an_interruption_of_something_else_is_counted() -> None:
    """It vanished on demand, which the server charged to the author. Then the instance said what became of it."""
    judged = Ledger(records={1: Record(ON_DEMAND, charge=Charge.USER, started=NOON)})
    assert [a.number for a in uncounted(judged, history(Cause.INFRASTRUCTURE))] == [1]


def test_evidence_that_gives_it_another_cause_is_not_counted_again() -> None:
    """It vanished on spot, which the server presumed to be a reclaim."""
    judged = Ledger(records={1: Record(SPOT, charge=Charge.SYSTEM, started=NOON)})
    assert uncounted(judged, history(Cause.INFRASTRUCTURE)) == []


def test_one_that_no_budget_was_left_for_counts_once_as_well() -> None:
    after = history(*[Cause.SPOT_INTERRUPTION] * 4)
    assert after.attempts[-1].charge is Charge.USER
    read = Ledger(records={a.number: Record(SPOT, a.cause, a.charge, started=NOON) for a in after.attempts})
    assert uncounted(read, after) == []
    fourth = replace(read.records[4], cause=None, charge=None)
    assert [a.number for a in uncounted(read.with_record(4, fourth), after)] == [4]


@given(st.lists(st.sampled_from(Cause), max_size=6), st.integers(0, 6))
def test_however_the_writers_take_turns_each_interruption_is_counted_once(
    causes: list[Cause], handed_over: int
) -> None:
    """The first ``handed_over`` attempts are judged one by one; whoever comes then finds the rest in silence."""
    ledger, counted = Ledger(), []
    for number in [*range(1, min(handed_over, len(causes)) + 1), len(causes)]:
        after = history(*causes[:number])
        counted += [a.number for a in uncounted(ledger, after)]
        for a in after.attempts:
            ledger = ledger.with_record(a.number, Record(a.capacity, a.cause, a.charge, started=NOON))
    assert counted == [n for n, cause in enumerate(causes, 1) if cause.charge is Charge.SYSTEM]


def test_the_documentation_names_every_metric_and_no_other() -> None:
    from airflow_interruptible import metrics as module

    documented = set(
        re.findall(r"^\| `(interruptible\.\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    )
    assert documented == {value for value in vars(module).values() if str(value).startswith("interruptible.")}
