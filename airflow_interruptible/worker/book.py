# SPDX-License-Identifier: Apache-2.0
"""The ledger of the task instance that runs in this process.

Two requests per attempt: one read and one write at its start, and one of each when it fails. What becomes known in
between, see :mod:`airflow_interruptible.worker.notes`, goes with the next write. A store that cannot be reached costs
the accounting of this attempt, never the attempt.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible import __version__
from airflow_interruptible.annotation import Annotation, annotation_of, resolve_interruptible
from airflow_interruptible.core.bounded import since_1970
from airflow_interruptible.core.cause import Charge
from airflow_interruptible.core.history import unread_history
from airflow_interruptible.core.placement import Placement
from airflow_interruptible.core.verdict import AttemptVerdict
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import KEY, Ledger, Record, Terms
from airflow_interruptible.metrics import TaskMetrics, uncounted
from airflow_interruptible.stats import IN_TASKS, stats_of
from airflow_interruptible.worker.notes import Notes, notes_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_interruptible.core.history import History
    from airflow_interruptible.core.verdict import Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Book:
    """The ledger as one attempt reads and writes it.

    :param attempt: the number of this attempt, Airflow's try number.
    :param interruptible: the setting that applies, this run's conf included.
    :param ledger: what was read, without what this attempt adds.
    :param queue: the queue this attempt was taken from.
    :param notes: what this process has found out since, which goes with every write.
    :param read: what was read, before evidence corrected it.
    :param launched: where the work that the operator launched runs, as far as it is known.
    :param unread: why there is no ledger that this version understands, though something stands there. It stays as it
        is: nothing is counted, and nothing is written.
    """

    store: Any
    annotation: Annotation
    interruptible: bool
    attempt: int
    ledger: Ledger
    metrics: TaskMetrics
    queue: str | None = None
    notes: Notes = field(default_factory=Notes)
    read: Ledger = field(default_factory=Ledger)
    launched: Mapping[str, str] = field(default_factory=dict)
    unread: LedgerError | None = None

    @classmethod
    def open(cls, task: Any, context: Context | Mapping[str, Any]) -> Book:
        """Read the ledger.

        :raises TypeError: the run's conf says something about ``interruptible`` that cannot be meant.
        :raises Exception: whatever Airflow raises when the store cannot be reached.
        """
        ti: Any = context["ti"]
        annotation = annotation_of(task)
        setting = resolve_interruptible(task, annotation.interruptible, conf_of(context))
        store = context["task_state_store"]
        attempt = max(ti.try_number, 1)  # `airflow tasks test` runs number 0
        terms = Terms(annotation.budget, setting.interruptible)
        document, refused = store.get(KEY), None
        try:
            read = Ledger.from_json(document).at(attempt, ti.max_tries, annotation.budget)
        except LedgerError as error:
            read, refused = Ledger(ti.max_tries), error
        ledger = replace(read, terms=terms)
        metrics = TaskMetrics(stats_of(IN_TASKS), ti.dag_id, ti.task_id)
        interruptible, notes, launched = setting.interruptible, notes_of(ti), getattr(task, "launched", {})
        known = (store, annotation, interruptible, attempt, ledger, metrics, ti.queue, notes, ledger, launched)
        return cls(*known, unread=refused)

    def legible(self) -> Book:
        """Return the book, if attempts can be counted in it.

        :raises LedgerError: they cannot.
        """
        if self.unread is not None:
            raise self.unread
        return self

    @property
    def history(self) -> History:
        """What happened since the last clear, before this attempt."""
        budget, ledger = self.annotation.budget, self.ledger
        if self.unread is not None:
            history = unread_history(budget, self.interruptible, before=self.attempt, max_tries=ledger.max_tries)
        else:
            history = ledger.history(budget, self.interruptible, before=self.attempt)
            history = replace(history, blind=self._is_out_of_the_server_s_sight)
        return replace(history, placed=self.annotation.placed)

    @property
    def _is_out_of_the_server_s_sight(self) -> bool:
        """Whether the server, which places these attempts, finds no more than a reference where workers have written.

        It then goes by :func:`.unread_history`, so its places are known here as well. Work that an operator launches is
        placed by its worker, which can read.
        """
        written = any(record.started is not None for record in self.ledger.records.values())
        return written and self.annotation.launch is None and _kept_elsewhere()

    @property
    def record(self) -> Record:
        """This attempt's entry. Until it is written, only the capacity is known."""
        return self.ledger.records.get(self.attempt) or Record(capacity=self.placement.capacity)

    @property
    def placement(self) -> Placement:
        """What this attempt runs on: what was written down, else what its queue tells, else what the rule says.

        An attempt whose work is launched elsewhere runs where that work does, whatever its own queue.
        """
        ruled = self.history.next_placement
        written = self.ledger.records.get(self.attempt)
        if written is not None and written.capacity is not None:
            return Placement(written.capacity, written.why or "the server placed it there")
        if self.annotation.launch is not None:
            return ruled
        actual = self.annotation.compute.build().capacity_of(self.queue)
        if actual in (None, ruled.capacity):
            return ruled
        return Placement(actual, f"queue {self.queue!r} stands for it, although {ruled.capacity.value} was due")

    @property
    def misplaced(self) -> bool:
        """Whether this attempt runs on another capacity than the rule says, and nobody wrote down why."""
        written = self.ledger.records.get(self.attempt)
        return written is None and self.placement.capacity is not self.history.next_placement.capacity

    def reopened(self) -> Book:
        """Return the book as it is now: somebody else may have written since it was opened.

        :raises LedgerError: it is no ledger, or none any more, or this task instance was cleared.
        :raises Exception: whatever Airflow raises when the store cannot be reached.
        """
        document, max_tries = self.store.get(KEY), self.ledger.max_tries
        if document is None or max_tries is None:
            return self
        ledger = Ledger.from_json(document).at(self.attempt, max_tries, self.annotation.budget)
        return replace(self, ledger=replace(ledger, terms=self.ledger.terms))

    def starting_record(self) -> Record:
        """Return this attempt's entry as it runs here and now. A resumed attempt keeps its first start."""
        record = _back(self.record)
        where = {**record.where, **_here(self.queue), **self.launched}
        if not self.annotation.placed:
            where["placed"] = False
        started = record.started or now()
        return replace(record, started=started, where=where, why=self.placement.why, version=__version__)

    def close(self, record: Record, verdict: Verdict) -> None:
        """Write down how this attempt ended, and keep the verdict for the author's callbacks.

        :raises Exception: whatever Airflow raises when the store cannot be reached.
        """
        told = self.notes.verdict = AttemptVerdict.of(verdict)
        if self.notes.notice is not None and told.cause.charge is not Charge.SYSTEM:
            self.metrics.false_alarm(self.notes.notice["provider"], told.cause, verdict.history.attempts[-1].capacity)
        self.write(replace(record, charge=verdict.charge, reason=verdict.reason), verdict.history)

    def write(self, record: Record, history: History) -> Book:
        """Write down ``record`` for this attempt, the notes on it, and the charges of ``history``; then count those.

        What cannot be read is not written over: this process alone remembers the record then.

        :return: the book with what was written.
        :raises Exception: whatever Airflow raises when the store cannot be reached.
        """
        if self.unread is not None:
            return replace(self, ledger=self.ledger.with_record(self.attempt, record))
        with self.notes.lock:
            noted = self.notes.on(record)
            ledger = self.ledger.with_record(self.attempt, noted).with_charges(history)
            self.store.set(KEY, ledger.to_json())
            self.notes.written = noted
            new = [attempt for attempt in uncounted(self.read, history) if attempt.number not in self.notes.counted]
            self.notes.counted.update(attempt.number for attempt in new)
        for attempt in new:
            self.metrics.interrupted(attempt, ledger.records.get(attempt.number))
        return replace(self, ledger=ledger)


def now() -> str:
    """Return the time as the ledger writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _kept_elsewhere() -> bool:
    from airflow.configuration import conf

    return bool(conf.get("workers", "state_store_backend", fallback=""))


def _back(record: Record) -> Record:
    """Return the entry of an attempt that is at work, whether or not it had left its machine for a while."""
    if record.left is None:
        return record
    gone = datetime.now(timezone.utc).timestamp() - since_1970(record.left)
    return replace(record, left=None, away=record.away + max(0, round(gone)))


def conf_of(context: Context | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the conf of the run, empty if it has none."""
    conf = getattr(context.get("dag_run"), "conf", None)
    return conf if isinstance(conf, Mapping) else {}


def _here(queue: str | None) -> dict[str, Any]:
    from airflow_interruptible import remote

    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "supervisor": os.getppid(),
        "queue": queue,
        **remote.here(),
    }
