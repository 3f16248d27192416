# SPDX-License-Identifier: Apache-2.0
"""One attempt, from the first line of ``execute`` to its last.

On entry the ledger is read: silence of earlier attempts is judged, and if that spent the author's budget the task fails
before any work is done. Whatever of ours fails here is logged once, and the operator runs as Airflow would run it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    TaskDeferred,
)

from airflow_interruptible.annotation import annotation_of
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.verdict import AttemptVerdict, decide
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.settings import get_settings
from airflow_interruptible.worker.book import Book, now
from airflow_interruptible.worker.entry import Entry
from airflow_interruptible.worker.error_line import error_line
from airflow_interruptible.worker.fate import ended_by_a_person
from airflow_interruptible.worker.hindsight import corrected
from airflow_interruptible.worker.notes import begin_notes
from airflow_interruptible.worker.signals import watched
from airflow_interruptible.worker.supervision import supervised
from airflow_interruptible.worker.warning import Announcement, listening, signalled

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
    :raises Interrupted: the machine was told to stop while the block ran.
    :raises AirflowFailException: the run's conf cannot be understood, or the block raised it.
    """
    announcement = Announcement(annotation_of(task).on_interruption_callback, context)
    entry = Entry(context["ti"], begin_notes(context["ti"]))
    try:
        with watched() as watch:
            _refuse_if_told(task)
            task.interruptible_book = _open(task, context)
            if task.interruptible_book is not None:
                _refuse_if_exhausted(task.interruptible_book)
                task.interruptible_book = _begin(task.interruptible_book)
                entry.begun(task.interruptible_book)
            with supervised(), listening(announcement, entry, enabled=get_settings().notices):
                try:
                    yield
                except (AirflowFailException, AirflowSensorTimeout) as error:
                    # Airflow fails the task without asking the retry policy, so nobody else would write it down.
                    if task.interruptible_book is not None and watch.arrived is None:
                        _fail(task.interruptible_book, error)
                    raise
                except (TaskDeferred, AirflowRescheduleException):
                    entry.leave()  # the attempt goes on in another process
                    raise
    except Interrupted as interruption:
        _announce(announcement, context)
        interruption.notice = announcement.notice
        raise
    except BaseException as error:
        entry.notes.raised = error
        raise
    finally:
        entry.close()


def _announce(announcement: Announcement, context: Context) -> None:
    """Tell the author of a signal that came without a notice, unless a person sent it."""
    if announcement.notice is None and announcement.callbacks and not ended_by_a_person(context["ti"]):
        announcement.tell(signalled())


def _open(task: Any, context: Context) -> Book | None:
    try:
        book = Book.open(task, context)
        # Only its first part looks back: a sensor that is rescheduled would do so each time it pokes.
        return corrected(book, task) if book.record.started is None else book
    except TypeError as error:
        raise AirflowFailException(str(error)) from error
    except Exception:
        log.warning("The history of this task cannot be read, so this attempt is not counted.", exc_info=True)
        return None


def _refuse_if_told(task: Any) -> None:
    if task.told_to_stop:
        raise Interrupted("the machine of this attempt was told to stop before the task began")


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
    _tried(lambda: book.close(record, verdict))


def _write(book: Book, record: Record, history: History) -> Book:
    return _tried(lambda: book.write(record, history)) or book


def _tried(write: Callable[[], T]) -> T | None:
    try:
        return write()
    except Exception:
        log.warning("This attempt cannot be written into the history; it may be taken for lost.", exc_info=True)
        return None
