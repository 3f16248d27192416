# SPDX-License-Identifier: Apache-2.0
"""One attempt, from the first line of ``execute`` to its last.

On entry the ledger is read: silence of earlier attempts is judged, and if that spent the author's budget the task fails
before any work is done. Whatever of ours fails here is logged once, and the operator runs as Airflow would run it.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    DagRunTriggerException,
    TaskDeferred,
)

from airflow_interruptible.annotation import annotation_of
from airflow_interruptible.core.bounded import NAME
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.verdict import AttemptVerdict, decide
from airflow_interruptible.core.words import ARGUMENTS, meant
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.settings import get_settings
from airflow_interruptible.worker import warm_shutdown
from airflow_interruptible.worker.book import Book, conf_of, now
from airflow_interruptible.worker.entry import Entry
from airflow_interruptible.worker.error_line import error_line
from airflow_interruptible.worker.fate import ended_by_a_person
from airflow_interruptible.worker.hindsight import corrected
from airflow_interruptible.worker.notes import begin_notes
from airflow_interruptible.worker.stopping import Stop
from airflow_interruptible.worker.supervision import supervised
from airflow_interruptible.worker.warning import UNKNOWN_SECONDS, Announcement, Listener, allowance, signalled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import Context

    from airflow_interruptible.core.history import History
    from airflow_interruptible.ledger import Record

log = logging.getLogger(__name__)

T = TypeVar("T")


class RetriesExhausted(AirflowFailException):
    """Earlier attempts that nobody could report have spent the author's ``retries``: the task fails at once."""


@contextmanager
def attempt(task: Any, context: Context) -> Iterator[None]:
    """Run the ``with`` block as one attempt of ``task``.

    :raises RetriesExhausted: no retry was left for this attempt.
    :raises Interrupted: the attempt was told to stop before the block was left, whatever the block made of that.
    :raises AirflowFailException: the run's conf cannot be understood, or the block raised it.
    """
    before = task.interruptible_attempt
    task.interruptible_killed = False
    if before is not None and before.stop.told:
        task.interruptible_told = False  # that was an earlier attempt, in a test that runs many in one process
    running = task.interruptible_attempt = RunningAttempt(task, context)
    raised: BaseException | None = None
    try:
        try:
            running.begin()
            yield
        except BaseException as error:
            running.stop.leave(error)
            raise
        else:
            running.stop.leave()
    except BaseException as error:  # noqa: BLE001 - what becomes of it is decided next, outside of the signals' reach
        raised = error
    running.end(raised)


class RunningAttempt:
    """One attempt, while its process works on it."""

    def __init__(self, task: Any, context: Context) -> None:
        self._task = task
        self._context = context
        self._entry = Entry(context["ti"], begin_notes(context["ti"]))
        self._announcement = Announcement(annotation_of(task).on_interruption_callback, context)
        self.stop = Stop(task, self._write_down)
        self._listener = Listener(self._announcement, self._entry, self.stop)
        self._listening = ExitStack()

    def begin(self) -> None:
        """Listen, read the history, and write down that the attempt runs."""
        _tried("An interruption will not be heard in time.", self.stop.begin)
        if _tried("Signals of the supervisor will not be heard.", warm_shutdown.begin) or self._task.interruptible_told:
            raise Interrupted("the machine of this attempt was told to stop before the task began")
        self._task.interruptible_book = None
        book = self._task.interruptible_book = _open(self._task, self._context)
        if book is not None and book.unread is None:
            _refuse_if_exhausted(book)
            book = self._task.interruptible_book = _begin(book)
            self._entry.begun(book)
        _look_for_typos(self._context)
        _tried("Those above this task will not be heard.", lambda: self._listening.enter_context(supervised()))
        if get_settings().notices:
            self._listener.start()

    def end(self, error: BaseException | None) -> None:
        """Decide what becomes of the attempt, whose code was left by ``error``, or by a return.

        After a return, and where Airflow waits for another Dag's run, a signal is still heard: see :meth:`conclude`.
        """
        self._listener.stop()
        self._listening.close()
        if self.stop.told or isinstance(error, Interrupted):
            error = self._interrupted(error)
        if error is None or isinstance(error, DagRunTriggerException):
            self._entry.notes.raised = error
        else:
            self._failed(error)
        if error is not None:
            raise error

    def conclude(self, error: BaseException) -> None:
        """Airflow asks what ``error`` is to be charged to: from here on no signal changes the outcome."""
        if self.stop.closed:
            return
        self._close()
        if self.stop.told:
            self._see_to_the_end()
        self._entry.close()
        if isinstance(error, Interrupted):
            error.notice = self._announcement.notice

    def _close(self) -> None:
        warm_shutdown.end()
        self.stop.close()

    def _write_down(self) -> None:
        if self.stop.told_at is not None:
            self._entry.told(self.stop.told_at)

    def _interrupted(self, error: BaseException | None) -> BaseException:
        self._see_to_the_end()
        if error is not None and self.stop.spares(error):
            return error
        if not isinstance(error, Interrupted):
            cause = error
            how = "the task swallowed it" if error is None else f"the task ended with {type(error).__name__}"
            error = Interrupted(f"the machine of this attempt was told to stop, and {how}")
            error.__cause__ = cause
        error.notice = self._announcement.notice
        return error

    def _see_to_the_end(self) -> None:
        """Wait for the work to end, then for the author to be told."""
        _tried("Whether the work of this attempt has ended cannot be told.", self.stop.finish)
        _tried("The author cannot be told of the interruption.", self._announce)

    def _announce(self) -> None:
        """Tell the author of a signal that came without a notice, unless a person sent it."""
        notice, callbacks = self._announcement.notice, self._announcement.callbacks
        if notice is not None:
            self._announcement.wait(min(UNKNOWN_SECONDS, allowance(notice)))
        elif callbacks and not ended_by_a_person(self._context["ti"]):
            self._announcement.tell(signalled())

    def _failed(self, error: BaseException) -> None:
        """Write down what the policy is never asked about, and what goes on in another process."""
        book = self._task.interruptible_book
        self._close()
        if isinstance(error, AirflowFailException | AirflowSensorTimeout) and not isinstance(error, RetriesExhausted):
            if book is not None and book.unread is None:
                _fail(book, error)
        elif isinstance(error, TaskDeferred | AirflowRescheduleException):
            self._entry.leave()  # the attempt goes on in another process
        if not isinstance(error, Interrupted):
            self._entry.notes.raised = error
        self._entry.close()


def _open(task: Any, context: Context) -> Book | None:
    try:
        book = Book.open(task, context)
        if book.unread is not None:
            where = book.placement.capacity.phrase
            log.warning("%s So this attempt is not counted. What it launches runs %s.", book.unread, where)
            return book
        # Only its first part looks back: a sensor that is rescheduled would do so each time it pokes.
        return corrected(book, task) if book.record.started is None else book
    except TypeError as error:
        raise AirflowFailException(str(error)) from error
    except Exception:
        log.warning("The history of this task cannot be read, so this attempt is not counted.", exc_info=True)
        return None


def _look_for_typos(context: Context) -> None:
    """Airflow has no schema for a run's conf, so nobody else would say that a word is misspelled."""
    for name in conf_of(context):
        if meant(name) == ARGUMENTS[0]:
            log.warning("This run's conf says %a, which nobody reads. Did you mean %a?", name[:NAME], ARGUMENTS[0])


def _refuse_if_exhausted(book: Book) -> None:
    account = book.history.account
    if not account.exhausted:
        return
    lost = book.history.attempts[-1]
    reason = (
        f"attempt {lost.number} {lost.capacity.phrase} started and never reported, which is charged to the author: "
        f"user failure {account.user_failures}, {account.budget.user_retries} retries. Clear the task to start afresh."
    )
    book.notes.verdict = AttemptVerdict(lost.cause, lost.charge, reason)
    _write(book, replace(book.record, charge=Charge.NONE, ended=now(), reason=reason), book.history)
    raise RetriesExhausted(reason)


def _begin(book: Book) -> Book:
    account, placement = book.history.account, book.placement
    log.info(
        "Interruptible task: attempt %d %s%s since %s%s; %d of %d user retries and %d of %d system retries left.",
        book.attempt,
        "" if book.annotation.placed else "would be ",
        placement.capacity.phrase,
        placement.why,
        "" if book.annotation.placed else ", but nothing is moved, as compute is none",
        account.user_retries_left,
        account.budget.user_retries,
        account.system_retries_left,
        account.budget.system_retries,
    )
    if book.misplaced:
        log.warning(
            "This attempt is not where it belongs. Is airflow-interruptible installed in scheduler and API server?"
        )
    record = book.starting_record()
    if book.record.started is None and record.started is not None:  # or it is resumed
        book.metrics.began(book.history, book.ledger, placement.capacity, record.started)
    return _write(book, record, book.history)


def _fail(book: Book, error: Exception) -> None:
    record = replace(book.starting_record(), cause=Cause.APPLICATION, ended=now(), error=error_line(error))
    verdict = decide(book.history, record.trace, type(error).__name__)
    _tried(_UNWRITTEN, lambda: book.close(record, verdict))


def _write(book: Book, record: Record, history: History) -> Book:
    return _tried(_UNWRITTEN, lambda: book.write(record, history)) or book


_UNWRITTEN = "This attempt cannot be written into the history; it may be taken for lost."


def _tried(warning: str, work: Callable[[], T]) -> T | None:
    """Do something of ours. If it fails, the task goes on without it, with one warning."""
    try:
        return work()
    except Exception:
        log.warning("%s", warning, exc_info=True)
        return None
