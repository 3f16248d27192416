# SPDX-License-Identifier: Apache-2.0
"""What follows from all that is known of a task instance: pure functions from :class:`Known` to :class:`Decision`.

The server knows less than the worker did, and the same rules decide: what the worker wrote into the ledger is the
history; where it wrote nothing, the silence itself is judged. What cannot be read is never written over: the attempt
goes on demand, and nobody is charged, see :func:`airflow_interruptible.core.history.unread_history`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.delay import system_delay
from airflow_interruptible.core.history import unread_history
from airflow_interruptible.core.placement import Placement
from airflow_interruptible.core.verdict import Verdict, cause_in, decide
from airflow_interruptible.core.witness import STARTING_SECONDS, WITHOUT_US, Row, observed, proved, why_unknown
from airflow_interruptible.ledger import Ledger, Record
from airflow_interruptible.metrics import uncounted
from airflow_interruptible.server.flush import Happened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow_interruptible.core.classification import Classification
    from airflow_interruptible.core.history import Attempt, History, Trace
    from airflow_interruptible.marker import Marker

_CLEARED = "cleared by a person"
_STUCK = "no spot capacity: it was stuck in the queue"
_STUCK_WHY = "no spot capacity could be found for it"


@dataclass(frozen=True)
class Known:
    """All there is to know of a task instance when its next attempt is to be placed.

    :param ledger: None if there is one that cannot be read, or that cannot be what attempt ``last`` left.
    :param happened: to attempt number ``last``, which is 0 if there was none.
    :param max_tries: Airflow's, as the flush leaves it.
    :param conf: the run's conf.
    :param found: why the last attempt ended, if anybody but its worker knows.
    :param reported: what its worker told Airflow as the reason, if it reported.
    :param heard: the last heartbeat of an attempt that nobody reported, as the ledger writes times; None if unknown.
    :param heard_for: how many seconds after its start its worker was last heard of, if it ran.
    :param now: the time, as the ledger writes it.
    :param jitter: a random number in [0, 1).
    """

    marker: Marker
    ledger: Ledger | None
    happened: Happened
    last: int
    max_tries: int
    conf: Mapping[str, Any] = field(default_factory=dict)
    found: Classification | None = None
    reported: str | None = None
    heard: str | None = None
    heard_for: float = 0.0
    now: str = ""
    jitter: float = 0.0

    @property
    def interruptible(self) -> bool:
        """The setting that applies."""
        return self.marker.resolved(self.conf)


@dataclass(frozen=True)
class Decision:
    """What is to be written.

    :param placement: of the next attempt.
    :param ledger: the document, None to leave it as it is.
    :param verdict: on an attempt that nobody else has judged, None if there was none.
    :param delay: before the next attempt, None for Airflow's own.
    :param max_tries: Airflow's column, None to leave it as it is.
    :param counted: attempts that are interruptions since this decision.
    """

    placement: Placement
    ledger: Ledger | None = None
    verdict: Verdict | None = None
    delay: timedelta | None = None
    max_tries: int | None = None
    counted: tuple[tuple[Attempt, Record], ...] = ()


def decide_next(known: Known) -> Decision:
    """Return what follows from what happened to the last attempt of a task instance."""
    if known.last == 0:
        return Decision(_fresh(known).next_placement)
    if known.ledger is None:
        before = known.last + 1
        history = unread_history(known.marker.budget, known.interruptible, before=before, max_tries=known.max_tries)
        return Decision(history.next_placement, max_tries=_max_tries(known))
    match known.happened:
        case Happened.CLEARED | Happened.STOPPED:
            return _after_clear(known, known.ledger)
        case Happened.REPORTED:
            return _after_report(known, _as_found(known, known.ledger))
        case Happened.SILENT | Happened.LOST:
            return _after_silence(known, _as_found(known, known.ledger))
    return Decision(_placement(known, _as_found(known, known.ledger)))


def move_on_demand(known: Known) -> Decision:
    """Return what follows when no spot machine could be found for attempt ``last``, which still waits in the queue.

    It has not failed: nobody is charged.
    """
    ledger = None
    if known.ledger is not None:
        begun = known.ledger.records.get(known.last) or Record()  # it may have been deferred, and waits to go on
        record = replace(begun, capacity=CapacityType.ON_DEMAND, reason=_STUCK, why=_STUCK_WHY)
        ledger = known.ledger.at(known.last, known.max_tries, known.marker.budget).with_record(known.last, record)
    return Decision(Placement(CapacityType.ON_DEMAND, _STUCK_WHY), ledger)


def _fresh(known: Known) -> History:
    return Ledger(known.max_tries).history(known.marker.budget, known.interruptible, before=1)


def _as_found(known: Known, ledger: Ledger) -> Ledger:
    return ledger.at(known.last + 1, known.max_tries, known.marker.budget)


def _placement(known: Known, ledger: Ledger) -> Placement:
    """Return where the next attempt belongs.

    A ledger that says "on demand" of it is believed, as :func:`move_on_demand` writes that. One that says "spot" is
    not: nobody but the author would write it, and there is no opt-out of the on-demand last attempt.
    """
    written = ledger.records.get(known.last + 1)
    if written is not None and written.capacity is CapacityType.ON_DEMAND:
        return Placement(CapacityType.ON_DEMAND, written.why or "it was written down so")
    return ledger.history(known.marker.budget, known.interruptible, before=known.last + 1).next_placement


def _max_tries(known: Known) -> int | None:
    """Airflow leaves ``max_tries`` for later when it clears a task that runs; both budgets have to fit at once."""
    return known.last + known.marker.budget.total_retries if known.happened is Happened.STOPPED else None


def _after_clear(known: Known, ledger: Ledger) -> Decision:
    max_tries = _max_tries(known)
    ledger = ledger.cleared(known.last, known.max_tries if max_tries is None else max_tries)
    record = ledger.records.get(known.last)
    if known.happened is Happened.STOPPED:
        record = record or Record(known.marker.capacity)
        record = replace(record, cause=Cause.USER_ACTION, charge=Charge.NONE, ended=known.now, reason=_CLEARED)
        ledger = ledger.with_record(known.last, record)
    return Decision(_placement(known, ledger), ledger, max_tries=max_tries)


def _after_report(known: Known, ledger: Ledger) -> Decision:
    """A report is no silence: what its worker could not write down must not pass for an interruption later."""
    record = ledger.records.get(known.last) or Record(known.marker.capacity)
    if record.cause is not None or known.last <= ledger.base:
        return Decision(_placement(known, ledger))
    cause = cause_in(known.reported or "", known.last) or Cause.UNKNOWN
    before = ledger.history(known.marker.budget, known.interruptible, before=known.last)
    record = replace(record, cause=cause, charge=before.account.charge_for(cause), ended=known.now)
    record = replace(record, reason=known.reported or why_unknown(record.trace))
    after = ledger.with_record(known.last, record)
    history = after.history(known.marker.budget, known.interruptible, before=known.last + 1)
    return Decision(_placement(known, after), after, counted=_counted(known, ledger, history, record))


def _after_silence(known: Known, ledger: Ledger) -> Decision:
    record = ledger.records.get(known.last) or Record()
    if record.cause is not None or known.last <= ledger.base:
        return Decision(_placement(known, ledger))  # its worker wrote down why, and could not report it
    found = known.found
    proof = None if found is None else proved(found.cause)  # None: if anything is, then only its end is proved
    cause = proof or (Cause.INFRASTRUCTURE if known.happened is Happened.LOST else None)
    before = ledger.history(known.marker.budget, known.interruptible, before=known.last)
    before = replace(before, placed=known.marker.placed)
    capacity = record.capacity or known.marker.capacity  # its worker may have found its work elsewhere
    trace = replace(record.trace, capacity=capacity, cause=cause)
    trace = observed(known.last, trace, Row(began=known.heard_for > STARTING_SECONDS))
    verdict = decide(before, trace, _evidence(trace, found))
    due = before.next_placement
    written = replace(
        record,
        capacity=capacity,
        cause=trace.cause,
        charge=verdict.charge,
        why=record.why or (due.why if due.capacity is capacity else None),
        ended=known.now,
        reason=verdict.reason,
        heard=known.heard if record.started else None,  # else it is the heartbeat of an earlier attempt
        rule=None if found is None or proof is None else found.rule,
    )
    counted = _counted(known, ledger, verdict.history, written)
    after = ledger.with_record(known.last, written)
    return Decision(_placement(known, after), after, verdict, _delay(known, verdict), counted=counted)


def _evidence(trace: Trace, found: Classification | None) -> str:
    if found is not None:
        return found.reason
    return WITHOUT_US if trace.cause is Cause.UNKNOWN else "nobody reported its end"


def _counted(known: Known, read: Ledger, history: History, record: Record) -> tuple[tuple[Attempt, Record], ...]:
    """Those before it are the next attempt's to count: it writes their charges."""
    return tuple((one, record) for one in uncounted(read, history) if one.number == known.last)


def _delay(known: Known, verdict: Verdict) -> timedelta | None:
    account = verdict.history.account
    if verdict.charge is Charge.USER and verdict.retry:
        backoff = known.marker.backoff
        return None if backoff is None else backoff.delay(account.user_failures, known.jitter)
    row = account.row if verdict.retry else 0  # nothing to wait for: the next attempt only says that it is over
    return system_delay(row, known.marker.system_retry_delay, known.jitter)
