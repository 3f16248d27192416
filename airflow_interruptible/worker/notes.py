# SPDX-License-Identifier: Apache-2.0
"""What becomes known of an attempt after it has begun: where it is, what was announced, what was saved, the verdict.

Kept in the task's own process, for whoever writes the ledger next, and for the author's callbacks, which run in the
same process after the verdict. Knows no store and no thread but the lock that keeps two writers apart.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_interruptible.core.verdict import AttemptVerdict
    from airflow_interruptible.ledger import CheckpointUsed, NoticeHeard, Record
    from airflow_interruptible.notices import Notice

_KEPT = 100  # a task's process has one attempt, dag.test() has many


def _nobody() -> None: ...


@dataclass
class Notes:
    """The notes on one attempt.

    :param told: when the attempt was first told to stop.
    :param written: this attempt's entry as this process last wrote it.
    :param counted: the attempts whose interruptions this process has counted, see :mod:`airflow_interruptible.metrics`.
    :param raised: what left ``execute`` as an exception, None if it was never entered, or is left in peace.
    :param left: when the attempt left its machine to go on later, None while it has not.
    :param keep: called when there is something that the ledger should still hold after a success.
    :param lock: held from reading the notes to the end of writing them.
    """

    place: dict[str, str] = field(default_factory=dict)
    notice: NoticeHeard | None = None
    told: str | None = None
    checkpoint: CheckpointUsed | None = None
    verdict: AttemptVerdict | None = None
    written: Record | None = None
    counted: set[int] = field(default_factory=set)
    raised: BaseException | None = None
    left: str | None = None
    keep: Callable[[], None] = _nobody
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, record: Record) -> Record:
        """Return ``record`` with these notes in it, and with every whereabouts that was written before."""
        known = self.written.where if self.written is not None else {}
        return replace(
            record,
            where={**known, **record.where, **self.place},
            notice=self.notice or record.notice,
            told=record.told or self.told,
            checkpoint=_both(record.checkpoint, self.checkpoint),
            left=self.left or record.left,
        )

    def heard(self, notice: Notice) -> None:
        """Note an announcement."""
        deadline = None if notice.deadline is None else notice.deadline.isoformat(timespec="milliseconds")
        at = notice.detected.isoformat(timespec="milliseconds")
        self.notice = {"provider": notice.provider, "at": at, "deadline": deadline}
        self.keep()

    def saved(self, at: str) -> None:
        """Note that a checkpoint was saved."""
        self.checkpoint = {"at": at, "loaded": self.checkpoint is not None and self.checkpoint["loaded"]}
        self.keep()

    def loaded(self) -> None:
        """Note that an earlier attempt's checkpoint was found."""
        self.checkpoint = {"at": self.checkpoint["at"] if self.checkpoint is not None else None, "loaded": True}
        self.keep()


def _both(earlier: CheckpointUsed | None, later: CheckpointUsed | None) -> CheckpointUsed | None:
    """Join what the parts of an attempt before and after a deferral did."""
    if earlier is None or later is None:
        return later or earlier
    return {"at": later["at"] or earlier["at"], "loaded": later["loaded"] or earlier["loaded"]}


_notes: dict[tuple[Any, ...], Notes] = {}


def begin_notes(ti: Any) -> Notes:
    """Return new notes on the attempt that runs as ``ti``."""
    notes = _notes[_key(ti)] = Notes()
    for key in list(_notes)[:-_KEPT]:
        del _notes[key]
    return notes


def notes_of(ti: Any) -> Notes:
    """Return the notes on the attempt that runs as ``ti``, new ones if there are none."""
    return _notes.get(_key(ti)) or begin_notes(ti)


def known_notes(ti: Any) -> Notes | None:
    """Return the notes on the attempt of ``ti``, None if it did not run in this process."""
    return _notes.get(_key(ti))


def _key(ti: Any) -> tuple[Any, ...]:
    return ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number
