# SPDX-License-Identifier: Apache-2.0
"""The attempts of a task instance as people see them: Airflow's tries, joined with the ledger and the rules.

Airflow knows when a try ran and in which state it ended; the ledger knows on what and why; the rules know what it cost.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.budget import Account
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import Attempt, History, Trace
from airflow_interruptible.core.placement import Placement
from airflow_interruptible.core.witness import NOT_WRITTEN, TAKEN_AWAY, WITHOUT_US, observed, why_unknown
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import Ledger, Terms
from airflow_interruptible.rules import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from airflow_interruptible.core.budget import Budget
    from airflow_interruptible.ledger import CheckpointUsed, NoticeHeard, Record
    from airflow_interruptible.marker import Marker
    from airflow_interruptible.server.tries import TaskInstanceTries, Try

log = logging.getLogger(__name__)

_UNFINISHED = frozenset(
    {None, "scheduled", "queued", "running", "restarting", "deferred", "up_for_reschedule", "awaiting_input"}
)
_SUCCEEDED = frozenset({"success", "skipped"})


@dataclass(frozen=True)
class AttemptView:
    """One attempt. ``charge`` is None while it runs; what is left of the budgets is counted after it.

    :param placed: whether anything sent it where it belongs. False where ``compute`` is none: then ``capacity`` is what
        would have been. In JSON None where no capacity is known.
    :param due: what the rule said before it, None for a task that is not annotated.
    :param error: what the author's exception said, masked; text from outside.
    """

    attempt: int
    state: str | None
    capacity: CapacityType | None
    cause: Cause | None
    charge: Charge | None
    reason: str | None
    start: datetime | None
    end: datetime | None
    user_retries_left: int | None
    system_retries_left: int | None
    host: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    rule: str | None = None
    why: str | None = None
    notice: NoticeHeard | None = None
    checkpoint: CheckpointUsed | None = None
    placed: bool = True
    due: Placement | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the attempt as the command line and the API print it."""
        return {
            "attempt": self.attempt,
            "state": self.state,
            "capacity": self.capacity and self.capacity.value,
            "placed": None if self.capacity is None else self.placed,
            "cause": self.cause and self.cause.value,
            "charge": self.charge and self.charge.value,
            "reason": self.reason,
            "start": self.start and self.start.isoformat(),
            "end": self.end and self.end.isoformat(),
            "user_retries_left": self.user_retries_left,
            "system_retries_left": self.system_retries_left,
            "host": self.host,
            "where": dict(self.where),
            "rule": self.rule,
            "why": self.why,
            "notice": self.notice,
            "checkpoint": self.checkpoint,
            "error": self.error,
        }


@dataclass(frozen=True)
class Story:
    """A task instance from its first attempt on.

    :param state: Airflow's, now.
    :param live: whether something may still happen to it.
    :param history: what counts since the last clear, None for a task that is not annotated.
    :param upcoming: where its next attempt goes, None if it is not waiting for one.
    :param placed: whether anything sends its attempts where they belong.
    :param next_at: when that is due, None if nobody has decided.
    :param cleared_after: the last attempts before each clear: what comes after has both budgets afresh.
    """

    state: str | None
    live: bool
    attempts: Sequence[AttemptView]
    history: History | None = None
    upcoming: Placement | None = None
    placed: bool = True
    next_at: datetime | None = None
    cleared_after: Sequence[int] = ()


def tell(known: TaskInstanceTries) -> Story:
    """Return the attempts of a task instance, oldest first, and what they lead to."""
    marker = next((row.marker for row in reversed(known.tries) if row.marker), known.marker)
    terms = _terms(known, marker)
    if terms is None:
        return Story(known.state, known.live, [_plain(row) for row in known.tries])
    last = max((row.number for row in known.tries), default=0)
    ledger = _ledger(known, last, terms.budget)
    rows = {row.number: row for row in known.tries}
    views: list[AttemptView] = []
    account = Account(terms.budget)
    history = fresh = History(terms.interruptible, account, max_tries=ledger.max_tries, blind=known.blind)
    for base, until in _generations(ledger, last):
        more, history = _generation(rows, ledger, replace(fresh, base=base), until)
        views += more
    upcoming = _upcoming(ledger.records.get(last + 1), history) if known.waiting else None
    when, cleared, placed = known.retry_at, ledger.bases[1:], marker is None or marker.placed
    return Story(known.state, known.live, views, history, upcoming, placed, when, cleared)


def _terms(known: TaskInstanceTries, marker: Marker | None) -> Terms | None:
    """Return by what its attempts count, None for a task that is not annotated.

    What the last worker went by decided; the row's marker is as old as the row, and ``dag.test()`` gives it none.
    """
    if known.ledger.terms is not None or marker is None:
        return known.ledger.terms
    return Terms(marker.budget, marker.resolved(known.conf))


def _ledger(known: TaskInstanceTries, last: int, budget: Budget) -> Ledger:
    """Return the ledger of the present generation; without one, or with one that cannot be, Airflow's rows speak."""
    current = max(last + known.waiting, 1)
    if known.ledger.base == last:  # cleared, in a run that does not go on
        current = last + 1
    try:
        if known.ledger != Ledger():
            return known.ledger.at(current, known.max_tries, budget)
    except LedgerError as error:
        log.warning("%s", error)
    base = min(max(0, known.max_tries - budget.total_retries), current - 1)
    return Ledger(known.max_tries, (0, base) if base else (0,))


def _upcoming(written: Record | None, history: History) -> Placement:
    ruled = history.next_placement
    if written is None or written.capacity is not CapacityType.ON_DEMAND or ruled.capacity is written.capacity:
        return ruled
    return Placement(written.capacity, written.why or "the server placed it there")


def _generations(ledger: Ledger, last: int) -> Iterator[tuple[int, int]]:
    """Give the first and last attempts between two clears; of what a ledger says, none beyond Airflow's last try."""
    bases = ledger.bases if ledger.bases[0] == 0 else (0, *ledger.bases)  # the oldest are not kept
    for base, until in zip(bases, (*bases[1:], last), strict=True):
        yield base, min(until, last)


def _generation(
    rows: Mapping[int, Try], ledger: Ledger, history: History, until: int
) -> tuple[list[AttemptView], History]:
    views, numbers = [], range(history.base + 1, until + 1)
    taken_away = history.base < ledger.base and not any(number in ledger.records for number in numbers)
    for number in numbers:
        row, record = rows.get(number), ledger.records.get(number)
        due = history.next_placement
        ended = _ended(history, row, record, last=number == until)
        if ended is not None:
            history = ended
        one = _one(number, row, record, history, ended.attempts[-1] if ended is not None else None)
        if taken_away and one.reason in (WITHOUT_US, NOT_WRITTEN):
            one = replace(one, reason=TAKEN_AWAY)
        views.append(replace(one, due=due))
    return views, history


def _ended(history: History, row: Try | None, record: Record | None, *, last: bool) -> History | None:
    """Return the history after this attempt, None if it has not failed, or if a person ended it."""
    state = row.state if row else None
    if state in _SUCCEEDED or (record is not None and record.charge is Charge.NONE):
        return None
    trace = observed(history.next_number, record.trace if record else None, row.seen if row else None)
    judged = record is not None and record.charge is not None
    if row is not None and last and not judged and (state in _UNFINISHED or _by_a_person(history, state, trace)):
        return None
    return history.after(trace)


def _by_a_person(history: History, state: str | None, trace: Trace) -> bool:
    """A silent failure is retried as long as ``retries`` lasts, so any other silent end was somebody's decision.

    What failed before our first line is not silent: Airflow itself may have refused to run it.
    """
    tries_left = history.account.budget.total_retries - len(history.attempts)
    return state != "failed" or (tries_left > 0 and trace.cause is None)


def _one(number: int, row: Try | None, record: Record | None, history: History, ended: Attempt | None) -> AttemptView:
    state = row.state if row else "failed"
    cause, charge = (ended.cause, ended.charge) if ended else _unfailed(state, record)
    recorded = record.capacity if record else None
    marked = row.marker.capacity if row and row.marker else None
    return AttemptView(
        attempt=number,
        state=state,
        capacity=ended.capacity if ended else recorded or marked,
        cause=cause,
        charge=charge,
        reason=_reason(row, record, ended),
        start=row.start if row else None,
        end=row.end if row else None,
        user_retries_left=history.account.user_retries_left,
        system_retries_left=history.account.system_retries_left,
        host=row.hostname if row else None,
        rule=record.rule if record and source_of(record.rule) else None,
        where=record.where if record else {},
        why=record.why if record else None,
        notice=record.notice if record else None,
        checkpoint=record.checkpoint if record else None,
        error=record.error if record else None,
        placed=_placed(row, record),
    )


def _placed(row: Try | None, record: Record | None) -> bool:
    marked = row is None or row.marker is None or row.marker.placed
    return marked if record is None else record.where.get("placed", marked) is not False


def _reason(row: Try | None, record: Record | None, ended: Attempt | None) -> str | None:
    """Return why it ended: as it was written down, else as Airflow's row says, else that nobody said anything."""
    said = (record and record.reason) or (row and row.reason)
    if said or ended is None or ended.presumed is not None or (record is not None and record.cause is not None):
        return said or None
    return why_unknown(record.trace if record else None)


def _unfailed(state: str | None, record: Record | None) -> tuple[Cause | None, Charge | None]:
    if state in _SUCCEEDED:
        return None, Charge.NONE
    if record is not None and record.charge is Charge.NONE:
        return record.cause, Charge.NONE
    return (None, None) if state in _UNFINISHED else (Cause.USER_ACTION, Charge.NONE)


def _plain(row: Try) -> AttemptView:
    """Return a try of a task that is not annotated."""
    return AttemptView(row.number, row.state, None, None, None, None, row.start, row.end, None, None, row.hostname)
