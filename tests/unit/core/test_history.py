# SPDX-License-Identifier: Apache-2.0
"""What happened so far, rebuilt from whatever records survived."""

from __future__ import annotations

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.history import MOST, Attempt, History, Trace, replay

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def test_an_empty_history() -> None:
    history = replay(Budget(2, 3), True, {}, before=1)
    assert history == History(True, Account(Budget(2, 3)))
    assert (history.next_number, history.user_attempt, history.next_placement.capacity) == (1, 1, SPOT)


def test_an_attempt_that_left_no_trace_never_started() -> None:
    history = replay(Budget(2, 3), True, {}, before=2)
    assert history.attempts == (Attempt(1, SPOT, Cause.INFRASTRUCTURE, Charge.SYSTEM, presumed=Ending.NEVER_STARTED),)


def test_an_attempt_that_was_only_placed_never_started() -> None:
    history = replay(Budget(2, 3), True, {1: Trace(ON_DEMAND, started=False)}, before=2)
    assert history.attempts[0].presumed is Ending.NEVER_STARTED
    assert history.attempts[0].capacity is ON_DEMAND


def test_silence_on_spot_is_an_interruption() -> None:
    history = replay(Budget(2, 3), True, {1: Trace()}, before=2)
    assert history.attempts == (Attempt(1, SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM, presumed=Ending.VANISHED),)


def test_silence_on_demand_is_the_authors() -> None:
    history = replay(Budget(0, 3), True, {1: Trace()}, before=2)
    assert history.attempts == (Attempt(1, ON_DEMAND, Cause.UNKNOWN, Charge.USER, presumed=Ending.VANISHED),)
    assert history.account.exhausted


def test_where_it_really_ran_overrules_where_it_belonged() -> None:
    history = replay(Budget(2, 3), True, {1: Trace(ON_DEMAND)}, before=2)
    assert history.attempts[0].capacity is ON_DEMAND
    assert history.attempts[0].charge is Charge.USER


def test_a_report_is_believed() -> None:
    history = replay(Budget(2, 3), True, {1: Trace(SPOT, Cause.APPLICATION)}, before=2)
    assert history.attempts == (Attempt(1, SPOT, Cause.APPLICATION, Charge.USER),)
    assert history.user_attempt == 2


def test_only_attempts_after_the_clear_and_before_this_one_count() -> None:
    traces = {number: Trace(SPOT, Cause.APPLICATION) for number in range(1, 9)}
    history = replay(Budget(5, 3), True, traces, base=3, before=6)
    assert [attempt.number for attempt in history.attempts] == [4, 5]
    assert history.account.user_failures == 2
    assert history.next_number == 6


def test_a_base_at_or_beyond_this_attempt_means_nothing_happened_yet() -> None:
    assert replay(Budget(1, 1), True, {1: Trace()}, base=4, before=3).attempts == ()


def test_late_evidence_changes_the_answer() -> None:
    """A vanished attempt that turns out to be the author's fault gives its system retry back."""
    presumed = replay(Budget(1, 1), True, {1: Trace(SPOT), 2: Trace(ON_DEMAND, Cause.INFRASTRUCTURE)}, before=3)
    known = replay(
        Budget(1, 1), True, {1: Trace(SPOT, Cause.APPLICATION), 2: Trace(ON_DEMAND, Cause.INFRASTRUCTURE)}, before=3
    )
    assert [attempt.charge for attempt in presumed.attempts] == [Charge.SYSTEM, Charge.USER]
    assert [attempt.charge for attempt in known.attempts] == [Charge.USER, Charge.SYSTEM]


def test_told_to_stop_on_demand_is_the_platforms() -> None:
    history = replay(Budget(0, 3), True, {1: Trace(told=True)}, before=2)
    expected = Attempt(1, ON_DEMAND, Cause.INFRASTRUCTURE, Charge.SYSTEM, presumed=Ending.INFRASTRUCTURE)
    assert history.attempts == (expected,)
    assert not history.account.exhausted


def test_what_it_reported_after_all_counts_more_than_that_it_was_told() -> None:
    history = replay(Budget(2, 3), True, {1: Trace(SPOT, Cause.APPLICATION, told=True)}, before=2)
    assert history.attempts == (Attempt(1, SPOT, Cause.APPLICATION, Charge.USER),)


def test_a_forged_number_costs_a_bounded_number_of_turns() -> None:
    history = replay(Budget(2, 3), True, {}, base=-(10**12), before=10**12)
    assert (len(history.attempts), history.next_number) == (MOST, 10**12)
