# SPDX-License-Identifier: Apache-2.0
"""What an attempt does about remote work (a pod, a job, a cluster's step) that an earlier attempt has left.

One rule for every service: work that lives is gone on with as what it is, on the last user attempt spot work is ended
first, and nothing begins beside anything that may still be at work.

>>> spot = EarlierWork(WorkState.AT_WORK, CapacityType.SPOT)
>>> step_for(spot, due=CapacityType.ON_DEMAND, last_user_attempt=False).step.value
'go on'
>>> step_for(spot, due=CapacityType.ON_DEMAND, last_user_attempt=True).step.value
'end first'
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from airflow_interruptible.core.capacity import CapacityType


class WorkState(str, Enum):
    """How far the work is."""

    WAITING = "waiting"
    """Asked for, and it may begin at any moment."""

    AT_WORK = "at work"

    ENDING = "ending"
    """Somebody has told it to end, and it may be at work until it has."""

    OVER = "over"
    """Nothing is at work, and nothing will be."""

    UNSEEN = "unseen"
    """It exists and could not be looked at."""


class Step(str, Enum):
    """What the attempt does before anything else."""

    GO_ON = "go on"
    """Wait for this work, and begin none."""

    LEAVE = "leave"
    """Begin its own: there is nothing to wait for."""

    AWAIT_END = "await end"
    """Wait until the work has ended, then begin its own."""

    END_FIRST = "end first"
    """End the work, wait until it has ended, then begin its own."""

    REFUSE = "refuse"
    """It is in the way, and not ours to end."""


@dataclass(frozen=True)
class EarlierWork:
    """Work of an earlier attempt, as it was found.

    :param capacity: what it runs on, or waits for; None (the default) if nobody knows.
    :param because: what was seen, as a clause whose subject is the work: ``it is being deleted``.
    """

    state: WorkState
    capacity: CapacityType | None = None
    because: str = ""


@dataclass(frozen=True)
class Decision:
    """What is done, and why, as a clause whose subject is the work."""

    step: Step
    why: str = ""


def step_for(
    work: EarlierWork, *, due: CapacityType | None, last_user_attempt: bool, joinable: bool = True
) -> Decision:
    """Decide what an attempt does about work that an earlier one has left.

    :param due: what the work of this attempt would have to ask for; None if nothing places it.
    :param last_user_attempt: whether a further failure on the author's account fails the task
        (:attr:`.History.next_is_last`).
    :param joinable: whether the operator can wait for work that it has not begun itself. What it cannot wait for is
        ended.
    """
    if (forced := _FORCED.get(work.state)) is not None:
        return Decision(forced, work.because or f"it is {work.state.value}")
    if not joinable:
        return Decision(Step.END_FIRST, "this attempt is to begin its own")
    if last_user_attempt and work.capacity is CapacityType.SPOT:
        return Decision(Step.END_FIRST, "it is on spot, and this is the last user attempt")
    if work.state is WorkState.WAITING and due is not None and work.capacity not in (None, due):
        return Decision(Step.END_FIRST, f"it has not started, and waits {work.capacity.phrase}")
    return Decision(Step.GO_ON)


def step_for_machines(work: EarlierWork, *, due: CapacityType | None, ours: bool) -> Decision:
    """Decide what an attempt does about machines of the name that it is to make some of: a cluster.

    They are not work: what runs on them may be anybody's, and they are used again unless they are of another capacity.

    :param due: what the machines of this attempt would have to be; None if nothing places them.
    :param ours: whether an earlier attempt of this task has made them.

    >>> spot = EarlierWork(WorkState.AT_WORK, CapacityType.SPOT)
    >>> step_for_machines(spot, due=CapacityType.ON_DEMAND, ours=True).step.value
    'end first'
    >>> step_for_machines(spot, due=CapacityType.ON_DEMAND, ours=False).step.value
    'refuse'
    """
    if work.state is WorkState.ENDING:
        return Decision(Step.AWAIT_END, "it is ending")
    if work.state is WorkState.OVER or due is None or work.capacity in (None, due):
        return Decision(Step.LEAVE)
    return Decision(Step.END_FIRST if ours else Step.REFUSE, f"it is {work.capacity.phrase}, and is to be {due.phrase}")


_FORCED = {WorkState.OVER: Step.LEAVE, WorkState.ENDING: Step.AWAIT_END, WorkState.UNSEEN: Step.END_FIRST}
"""The states in which nothing is to be chosen."""
