# SPDX-License-Identifier: Apache-2.0
"""What a flush does to the task instances of ours: how the last attempt of each ended, and which is to be placed.

It is asked for states, not for a list of transitions: a row whose next attempt waits, and which this flush changes, is
looked at again, whatever the change. What happened to the attempt before it follows from two states and few signs:

| state before -> after     | and                                    | what happened                                  |
| running, unchanged        | the try is kept                        | the worker reported it                         |
| running -> up_for_retry   |                                        | nobody reported it                             |
| any other -> up_for_retry |                                        | it was lost before it ran                      |
| running -> restarting     |                                        | a person cleared it while it ran               |
| queued, running -> None   | no scheduler has it, max_tries is kept | it was lost with its scheduler                 |
| any other -> None         |                                        | a person cleared it                            |

Where every try is a row (see :mod:`airflow_interruptible.server.seam`), its end and its successor are two rows and
come in two flushes; :func:`turns` answers for both layouts alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UP_FOR_RETRY, RESTARTING, RUNNING = "up_for_retry", "restarting", "running"

_TAKEN = frozenset({"queued", RUNNING})
"""States in which a task instance belongs to a scheduler, and is reset when that is gone."""

_FAILED = "failed"
"""The event of the Log row that Airflow writes when it handles a failure itself."""


class Happened(Enum):
    """How the attempt before the one to come ended, as far as Airflow's rows tell."""

    NOTHING = "nothing new"
    REPORTED = "its worker reported a failure"
    SILENT = "it ran, and nobody reported its end"
    LOST = "it was lost before it ran, or with its scheduler"
    STOPPED = "a person cleared it while it ran"
    CLEARED = "a person cleared the task after it"


@dataclass(frozen=True)
class Turn:
    """What a flush does to one task instance.

    :param row: the task instance.
    :param last: the number of its last attempt, 0 if there was none.
    :param kept: the row that keeps the try that ends in this flush, None if nothing ends, or nothing keeps it.
    :param said: what the scheduler wrote of the executor's report, if that was how the end was noticed.
    :param waits: whether an attempt is to come that this row is going to be queued for.
    """

    row: Any
    marker: Marker
    happened: Happened
    last: int
    kept: Any = None
    said: str | None = None
    waits: bool = True


def turns(new: Sequence[Any], dirty: Sequence[Any]) -> Iterator[Turn]:
    """Say what happens to each task instance of ours.

    :param new: the rows that the flush inserts, of those that are watched.
    :param dirty: the rows that it changes.
    """
    known = seam.models()
    logs = [row for row in new if isinstance(row, known.log)]
    kept = {} if known.tries_are_rows else {seam.key_of(row): row for row in new if isinstance(row, known.history)}
    for row in dirty:
        marker = Marker.from_config(row.executor_config) if isinstance(row, known.task_instance) else None
        if marker is None:
            continue
        about = [log for log in logs if seam.about(log, row)]
        said = next((log.extra for log in about if log.event == seam.STATE_MISMATCH), None)
        if not known.tries_are_rows:
            yield from _one_row(row, marker, kept.get(seam.key_of(row)), said)
        elif _is_archived_now(row):
            yield from _archived(row, marker, said, handled=any(log.event == _FAILED for log in about))
        elif row.working_set:
            yield from _live(row, marker)


def _one_row(row: Any, marker: Marker, kept: Any, said: str | None) -> Iterator[Turn]:
    """Where a task instance is one row, whose number is that of its last attempt."""
    before, after = seam.state_change(row)
    state, changed = seam.text_of(row.state), seam.change_of(row, "state") is not None
    if not changed and kept is not None and state == RUNNING:  # the API server writes the new state by itself
        happened = Happened.REPORTED
    elif changed and after == UP_FOR_RETRY:
        happened = {RUNNING: Happened.SILENT, RESTARTING: Happened.CLEARED}.get(before or "", Happened.LOST)
    elif changed and after == RESTARTING:
        happened = Happened.STOPPED
    else:
        happened = _reset(row, before, last=row.try_number)
    if happened is not Happened.NOTHING or _to_place(row):
        yield Turn(row, marker, happened, row.try_number, kept, said)


def _archived(row: Any, marker: Marker, said: str | None, *, handled: bool) -> Iterator[Turn]:
    """Where every try is a row: one that ends. Its successor is placed by a later flush.

    :param handled: whether Airflow handled a failure. If not, its successor tells what happened.
    """
    if row.archived_reason != "retry":
        return
    before, _ = seam.state_change(row)
    if before in (UP_FOR_RETRY, "deferred"):  # a trigger that ends its task reports as a worker does
        happened = Happened.REPORTED
    elif before == RESTARTING:
        happened = Happened.STOPPED
    elif handled:
        happened = Happened.SILENT if before == RUNNING else Happened.LOST
    else:
        return
    yield Turn(row, marker, happened, row.try_number, row, said, waits=False)


def _live(row: Any, marker: Marker) -> Iterator[Turn]:
    """Where every try is a row: the one that counts. While it waits, its number is that of the attempt to come."""
    before, _ = seam.state_change(row)
    last = max(0, row.try_number - 1)
    happened = _reset(row, before, last=last)
    if happened is not Happened.NOTHING or _to_place(row):
        yield Turn(row, marker, happened, last)


def _reset(row: Any, before: str | None, *, last: int) -> Happened:
    """Say what a row means that is set back to no state at all."""
    if row.state is not None or last == 0 or before == "removed":  # whose task is back in its Dag
        return Happened.NOTHING
    budget_renewed = seam.change_of(row, "max_tries") is not None
    if before in _TAKEN and not budget_renewed and row.queued_by_job_id is None:
        return Happened.LOST
    changed = seam.change_of(row, "state") is not None
    return Happened.CLEARED if changed or budget_renewed else Happened.NOTHING


def _to_place(row: Any) -> bool:
    """Whether a row waits for its next attempt, and may not be where it was placed: a refresh from its task moves it.

    Airflow refreshes before it queues a retry, and then a row may stand where the Dag file says without any change.
    """
    state = seam.text_of(row.state)
    if state == UP_FOR_RETRY:
        return True
    moved = ("state", "queue", "executor", "executor_config")
    return state is None and any(seam.change_of(row, column) is not None for column in moved)


def _is_archived_now(row: Any) -> bool:
    change = seam.change_of(row, "working_set")
    return change is not None and change[1] is None
