# SPDX-License-Identifier: Apache-2.0
"""The verdict on an attempt that just ended: who pays, whether a next one follows, where, and one line on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge

if TYPE_CHECKING:
    from airflow_interruptible.core.history import History, Trace
    from airflow_interruptible.core.placement import Placement

REASON_LIMIT = 500
"""Airflow cuts ``retry_reason`` at this many characters (execution_api/routes/task_instances.py)."""

_WHAT = {
    Cause.SPOT_INTERRUPTION: "interrupted",
    Cause.INFRASTRUCTURE: "lost to the infrastructure",
    Cause.NO_CAPACITY: "found no spot capacity",
    Cause.APPLICATION: "failed",
    Cause.UNKNOWN: "ended for an unknown reason",
    Cause.USER_ACTION: "ended by a person",
}


@dataclass(frozen=True)
class Verdict:
    """What an ended attempt means.

    :param history: everything including this attempt.
    :param charge: the account it was charged to.
    :param retry: whether another attempt follows; False means that the task has failed.
    :param placement: where the next attempt belongs, if there is one.
    :param reason: one line for the person on call, at most :data:`REASON_LIMIT` characters.
    """

    history: History
    charge: Charge
    retry: bool
    placement: Placement
    reason: str


@dataclass(frozen=True)
class AttemptVerdict:
    """What an ended attempt means, in the few words that a callback needs.

    :param cause: what ended it.
    :param charge: the account it was charged to.
    :param reason: one line for the person on call.
    """

    cause: Cause
    charge: Charge
    reason: str

    @classmethod
    def of(cls, verdict: Verdict) -> AttemptVerdict:
        """Return what ``verdict`` says of the attempt that ended."""
        return cls(verdict.history.attempts[-1].cause, verdict.charge, verdict.reason)

    @property
    def forgiven(self) -> bool:
        """Whether the platform paid: nobody's ``retries`` were spent, and another attempt follows."""
        return self.charge is Charge.SYSTEM


def decide(history: History, trace: Trace | None, evidence: str = "") -> Verdict:
    """Judge the attempt that follows ``history``.

    :param trace: what it left behind, None if nothing.
    :param evidence: what the cause was concluded from, in a few words.
    """
    after = history.after(trace)
    attempt = after.attempts[-1]
    retry = not after.over
    placement = after.next_placement
    ran = f" {attempt.capacity.phrase}" if after.placed else ""
    parts = [
        f"attempt {attempt.number}{ran} {_WHAT[attempt.cause]}" + (f" ({evidence})" if evidence else ""),
        _spent(after, attempt.charge),
        _next(after) if retry else _end_of(after),
    ]
    return Verdict(after, attempt.charge, retry, placement, _fit("; ".join(part for part in parts if part)))


def _next(after: History) -> str:
    placement = after.next_placement
    where = f"{placement.capacity.phrase} since {placement.why}"
    return f"next {where}" if after.placed else f"next would be {where}, but nothing is moved, as compute is none"


def cause_in(reason: str, number: int) -> Cause | None:
    """Return the cause that a reason of :func:`decide` names for attempt ``number``, None if it is not one.

    >>> cause_in("attempt 2 on spot interrupted (SIGTERM); forgiven: system retry 1 of 3; ...", 2).value
    'spot_interruption'
    """
    said = reason.removeprefix(f"attempt {number} ")
    if said == reason:
        return None
    for capacity in CapacityType:
        said = said.removeprefix(f"{capacity.phrase} ")
    return next((cause for cause, what in _WHAT.items() if said.startswith((f"{what} (", f"{what};"))), None)


def _spent(after: History, charge: Charge) -> str:
    account = after.account
    budget = account.budget
    if charge is Charge.SYSTEM:
        return f"forgiven: system retry {account.system_failures} of {budget.system_retries}"
    if charge is Charge.USER:
        return f"charged to the author: user failure {account.user_failures}, {budget.user_retries} retries"
    return "charged to nobody"


def _end_of(after: History) -> str:
    if after.account.exhausted:
        return "no retries left"
    return f"Airflow allows no try after it (max_tries {after.max_tries})"


def _fit(reason: str) -> str:
    # What cannot be printed cannot be sent either: half a surrogate pair would keep the worker from reporting at all.
    flat = " ".join("".join(c if c.isprintable() else " " for c in reason).split())
    return flat if len(flat) <= REASON_LIMIT else flat[: REASON_LIMIT - 1] + "…"
