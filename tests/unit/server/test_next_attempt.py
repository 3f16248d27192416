# SPDX-License-Identifier: Apache-2.0
"""What follows from all that is known, for everything that can be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.classification import Classification
from airflow_interruptible.core.delay import AuthorBackoff
from airflow_interruptible.ledger import Ledger, Record
from airflow_interruptible.marker import Marker
from airflow_interruptible.server.flush import Happened
from airflow_interruptible.server.next_attempt import Known, decide_next, move_on_demand

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
NOW = "2026-01-01T00:00:00.000+00:00"
MARKER = Marker(True, Budget(2, 3), SPOT, timedelta(seconds=10))
RUNNING = Record(SPOT, started=NOW)


def known(happened: Happened, last: int, *records: Record, **more: Any) -> Known:
    ledger = Ledger(more.get("max_tries", 5), records=dict(enumerate(records, start=1)))
    return Known(
        **{"marker": MARKER, "ledger": ledger, "max_tries": 5, "now": NOW, **more}, happened=happened, last=last
    )


def test_a_first_attempt_needs_no_ledger() -> None:
    decision = decide_next(known(Happened.NOTHING, 0, ledger=None))
    assert (decision.placement.capacity, decision.ledger) == (SPOT, None)
    assert decide_next(known(Happened.NOTHING, 0, conf={"interruptible": False})).placement.capacity is ON_DEMAND


def test_silence_is_judged() -> None:
    decision = decide_next(known(Happened.SILENT, 1, RUNNING))
    assert decision.verdict is not None
    assert decision.ledger is not None
    assert decision.ledger.records[1].charge is Charge.SYSTEM
    assert (decision.placement.capacity, decision.delay) == (SPOT, timedelta(0))
    assert [attempt.number for attempt, _ in decision.counted] == [1]


def test_when_a_silent_attempt_was_last_heard_of_is_written_down() -> None:
    heard = "2025-12-31T23:55:00.000+00:00"
    for record, written in ((RUNNING, heard), (Record(SPOT), None)):
        decision = decide_next(known(Happened.SILENT, 1, record, heard=heard))
        assert decision.ledger is not None
        assert (decision.ledger.records[1].heard, decision.ledger.records[1].ended) == (written, NOW)


def test_what_is_known_of_the_end_is_the_cause() -> None:
    found = Classification(Cause.NO_CAPACITY, "k8s/unschedulable-on-spot", "no spot node")
    decision = decide_next(known(Happened.LOST, 1, found=found))
    assert decision.placement.capacity is ON_DEMAND
    assert decision.ledger is not None
    assert decision.ledger.records[1].rule == found.rule


@pytest.mark.parametrize(("capacity", "charge"), [(SPOT, Charge.SYSTEM), (ON_DEMAND, Charge.USER)])
def test_a_person_in_the_cloud_leaves_silence_what_it_is(capacity: CapacityType, charge: Charge) -> None:
    """As for the worker that looks back: an autoscaler deletes machines in the name of a person, too."""
    found = Classification(Cause.USER_ACTION, "ecs/stopped-by-person", "somebody stopped the task")
    decision = decide_next(known(Happened.SILENT, 1, replace(RUNNING, capacity=capacity), found=found))
    assert decision.ledger is not None
    record = decision.ledger.records[1]
    assert (record.charge, record.rule) == (charge, None)


@pytest.mark.parametrize(
    ("reported", "cause"),
    [
        ("attempt 1 on spot failed (ValueError); charged to the author: ...", Cause.UNKNOWN),
        ("attempt 1 on spot interrupted (SIGTERM); forgiven: system retry 1 of 3; ...", Cause.SPOT_INTERRUPTION),
        ("attempt 7 on spot interrupted (SIGTERM); forgiven: system retry 1 of 3; ...", Cause.UNKNOWN),
        ("the author's own words", Cause.UNKNOWN),
        (None, Cause.UNKNOWN),
    ],
)
def test_a_report_that_could_not_be_written_down_is_no_silence(reported: str | None, cause: Cause) -> None:
    decision = decide_next(known(Happened.REPORTED, 1, RUNNING, reported=reported))
    assert decision.ledger is not None
    record = decision.ledger.records[1]
    assert record.cause in (cause, Cause.APPLICATION)
    assert record.charge is (Charge.USER if cause is Cause.UNKNOWN else Charge.SYSTEM)


def test_a_report_that_was_written_down_is_left_alone() -> None:
    decision = decide_next(known(Happened.REPORTED, 1, replace(RUNNING, cause=Cause.APPLICATION)))
    assert (decision.ledger, decision.verdict) == (None, None)


@pytest.mark.parametrize("happened", [Happened.CLEARED, Happened.STOPPED])
def test_a_clear_is_written_down(happened: Happened) -> None:
    failed = replace(RUNNING, cause=Cause.APPLICATION)
    decision = decide_next(known(happened, 3, failed, failed, RUNNING, max_tries=5))
    assert decision.ledger is not None
    assert decision.ledger.base == 3
    assert decision.placement.capacity is SPOT
    if happened is Happened.STOPPED:
        assert decision.ledger.records[3].cause is Cause.USER_ACTION
        assert decision.max_tries == 3 + 5


def test_the_author_s_delays_count_the_author_s_failures() -> None:
    """After three interruptions Airflow would wait eight times as long."""
    marker = replace(MARKER, budget=Budget(3, 3), backoff=AuthorBackoff(timedelta(seconds=10), 2.0))
    interrupted = replace(RUNNING, cause=Cause.SPOT_INTERRUPTION)
    records = [*[interrupted] * 3, Record(ON_DEMAND, started=NOW)]
    decision = decide_next(known(Happened.SILENT, 4, *records, marker=marker, max_tries=6, jitter=0.5))
    assert decision.delay == timedelta(seconds=15)


def test_without_such_delays_airflow_s_own_applies() -> None:
    decision = decide_next(known(Happened.SILENT, 1, Record(ON_DEMAND, started=NOW)))
    assert decision.delay is None


def test_the_last_try_that_airflow_allows_is_on_demand() -> None:
    decision = decide_next(known(Happened.SILENT, 1, RUNNING, max_tries=1, ledger=Ledger(1, records={1: RUNNING})))
    assert decision.placement.capacity is ON_DEMAND
    assert "Airflow allows no try after it" in decision.placement.why


def test_a_ledger_cannot_ask_for_spot() -> None:
    """The task may write what it likes about its next attempt."""
    failed = replace(RUNNING, cause=Cause.APPLICATION)
    forged = Ledger(5, records={1: failed, 2: failed, 3: Record(SPOT)})
    assert decide_next(known(Happened.REPORTED, 2, ledger=forged)).placement.capacity is ON_DEMAND


def test_a_try_that_was_moved_stays_there() -> None:
    moved = move_on_demand(known(Happened.NOTHING, 1))
    assert moved.ledger is not None
    decision = decide_next(known(Happened.NOTHING, 0 + 1, ledger=moved.ledger))
    assert decision.placement.capacity is SPOT, "it is the attempt after that"
    queued = Ledger(5, records={1: replace(RUNNING, cause=Cause.INFRASTRUCTURE), 2: Record(ON_DEMAND)})
    assert decide_next(known(Happened.NOTHING, 1, ledger=queued)).placement.capacity is ON_DEMAND


causes = st.none() | st.sampled_from(Cause)
records = st.builds(
    Record,
    capacity=st.none() | st.sampled_from(CapacityType),
    cause=causes,
    charge=st.none() | st.sampled_from(Charge),
    started=st.none() | st.just(NOW),
)
ledgers = st.builds(
    Ledger,
    max_tries=st.none() | st.integers(0, 20),
    bases=st.lists(st.integers(0, 9), max_size=3).map(lambda later: (0, *sorted(set(later) - {0}))),
    records=st.dictionaries(st.integers(1, 9), records, max_size=6),
)
anything = st.builds(
    Known,
    marker=st.builds(
        Marker,
        interruptible=st.booleans(),
        budget=st.builds(Budget, st.integers(0, 3), st.integers(0, 3)),
        capacity=st.sampled_from(CapacityType),
        system_retry_delay=st.just(timedelta(seconds=10)),
    ),
    ledger=st.none() | ledgers,
    happened=st.sampled_from(Happened),
    last=st.integers(0, 9),
    max_tries=st.integers(0, 20),
    conf=st.sampled_from([{}, {"interruptible": False}, {"interruptible": "x"}]),
    reported=st.none() | st.text(max_size=9),
    now=st.just(NOW),
    jitter=st.floats(0, 1, exclude_max=True),
).filter(lambda known: known.ledger is None or known.ledger.base <= known.last)


@given(anything)
def test_whatever_is_known_there_is_an_answer(known: Known) -> None:
    decision = decide_next(known)
    assert decision.delay is None or timedelta(0) <= decision.delay <= timedelta(days=1)
    if not known.interruptible:
        assert decision.placement.capacity is ON_DEMAND
    if known.ledger is None:
        assert decision.ledger is None, "what cannot be read is never written over"
    if decision.ledger is not None:
        assert Ledger.from_json(decision.ledger.to_json()).base == decision.ledger.base


@given(anything)
def test_to_decide_twice_is_to_decide_once(known: Known) -> None:
    """Airflow may roll back and do it again, and a flush may come twice for one end."""
    first = decide_next(known)
    if first.ledger is not None:
        known = replace(known, ledger=first.ledger, max_tries=first.max_tries or known.max_tries)
        again = decide_next(known)
        assert again.placement == first.placement
        assert again.ledger in (None, first.ledger)
        assert again.counted == ()


@given(anything)
def test_a_clear_starts_both_budgets_afresh(known: Known) -> None:
    known = replace(known, happened=Happened.CLEARED, last=known.last + 1, ledger=known.ledger or Ledger())
    decision = decide_next(known)
    assert decision.ledger is not None
    history = decision.ledger.history(known.marker.budget, known.interruptible, before=known.last + 1)
    assert (decision.ledger.base, history.attempts) == (known.last, ())
