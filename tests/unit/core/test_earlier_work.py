# SPDX-License-Identifier: Apache-2.0
"""What an attempt does about work that an earlier one has left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import EarlierWork, Step, WorkState, step_for, step_for_machines

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND

WORK = st.builds(EarlierWork, st.sampled_from(WorkState), st.sampled_from([None, SPOT, ON_DEMAND]))
DUE = st.sampled_from([None, SPOT, ON_DEMAND])


@pytest.mark.parametrize("due", [None, SPOT, ON_DEMAND])
@pytest.mark.parametrize("capacity", [None, SPOT, ON_DEMAND])
def test_work_that_lives_is_gone_on_with_as_what_it_is(capacity: CapacityType | None, due: CapacityType | None) -> None:
    work = EarlierWork(WorkState.AT_WORK, capacity)
    assert step_for(work, due=due, last_user_attempt=False).step is Step.GO_ON


@pytest.mark.parametrize("state", [WorkState.AT_WORK, WorkState.WAITING])
def test_on_the_last_user_attempt_spot_work_is_ended_first(state: WorkState) -> None:
    decision = step_for(EarlierWork(state, SPOT), due=ON_DEMAND, last_user_attempt=True)
    assert (decision.step, decision.why) == (Step.END_FIRST, "it is on spot, and this is the last user attempt")
    assert step_for(EarlierWork(state, ON_DEMAND), due=ON_DEMAND, last_user_attempt=True).step is Step.GO_ON


def test_work_that_waits_for_another_capacity_is_not_waited_for() -> None:
    work = EarlierWork(WorkState.WAITING, SPOT)
    decision = step_for(work, due=ON_DEMAND, last_user_attempt=False)
    assert (decision.step, decision.why) == (Step.END_FIRST, "it has not started, and waits on spot")
    assert step_for(work, due=SPOT, last_user_attempt=False).step is Step.GO_ON
    assert step_for(work, due=None, last_user_attempt=False).step is Step.GO_ON
    assert step_for(EarlierWork(WorkState.WAITING), due=ON_DEMAND, last_user_attempt=False).step is Step.GO_ON


@given(WORK, DUE, st.booleans(), st.booleans())
def test_nothing_begins_beside_what_may_be_at_work(
    work: EarlierWork, due: CapacityType | None, last: bool, joinable: bool
) -> None:
    step = step_for(work, due=due, last_user_attempt=last, joinable=joinable).step
    assert (step is Step.LEAVE) == (work.state is WorkState.OVER)


@given(WORK, DUE, st.booleans(), st.booleans())
def test_what_ends_or_was_not_seen_is_never_gone_on_with(
    work: EarlierWork, due: CapacityType | None, last: bool, joinable: bool
) -> None:
    decision = step_for(work, due=due, last_user_attempt=last, joinable=joinable)
    if decision.step is Step.GO_ON:
        assert joinable
        assert work.state in (WorkState.AT_WORK, WorkState.WAITING)
        assert not (last and work.capacity is SPOT)
    else:
        assert decision.why


@given(WORK, DUE, st.booleans())
def test_machines_of_another_capacity_are_never_used_again(
    work: EarlierWork, due: CapacityType | None, ours: bool
) -> None:
    decision = step_for_machines(work, due=due, ours=ours)
    there = work.state not in (WorkState.OVER, WorkState.ENDING)
    wrong = there and due is not None and work.capacity not in (None, due)
    assert (decision.step is Step.LEAVE) == (not wrong and work.state is not WorkState.ENDING)
    assert (decision.step is Step.END_FIRST) == (wrong and ours), "what others have made is never ended"
    assert decision.step is not Step.GO_ON


def test_why_machines_are_not_used_again() -> None:
    found = EarlierWork(WorkState.AT_WORK, SPOT)
    assert step_for_machines(found, due=ON_DEMAND, ours=False).why == "it is on spot, and is to be on demand"
