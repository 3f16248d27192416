# SPDX-License-Identifier: Apache-2.0
"""The retry policy of an interruptible task: judge what the worker saw, write it down, tell Airflow.

Airflow asks it in the task's own process, when an exception ended the attempt. What kills that process is judged by the
next attempt, from the gap it left. If this policy itself fails, Airflow logs it and retries as it would
without a policy, within ``retries``, which holds both budgets.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision, RetryPolicy

from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.delay import AuthorBackoff, system_delay
from airflow_interruptible.core.verdict import AttemptVerdict, Verdict, decide
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker.book import Book, now
from airflow_interruptible.worker.error_line import error_line
from airflow_interruptible.worker.evidence import evidence_of
from airflow_interruptible.worker.fate import ended_by_a_person, fate_of, outside_execute
from airflow_interruptible.worker.notes import notes_of
from airflow_interruptible.worker.outage import REPORT_SECONDS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_interruptible.ledger import Record

log = logging.getLogger(__name__)

_random = random.SystemRandom()  # the process's own generator is the author's, seeded or not

_RESCHEDULE = getattr(RetryAction, "RESCHEDULE", None)
"""From Airflow 3.4 on: go on later with the same try, which costs no retry. None where it is not known."""

_BY_A_PERSON = AttemptVerdict(
    Cause.USER_ACTION, Charge.NONE, "ended by a person, who cleared or marked the task; charged to nobody"
)


@dataclass(frozen=True)
class InterruptibleRetryPolicy(RetryPolicy):
    """Forgive interruptions, and leave application errors to the author.

    :param author: the author's own ``retry_policy``, asked about every application error, with user attempts for
        ``try_number`` and the author's ``retries`` for ``max_tries``.
    """

    author: RetryPolicy | None = None

    @classmethod
    def around(cls, policy: RetryPolicy | None) -> InterruptibleRetryPolicy:
        """Return ``policy`` as the author's inside one of ours; one of ours is returned as it is."""
        return policy if isinstance(policy, InterruptibleRetryPolicy) else cls(policy)

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature; ours counts by the ledger
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,
    ) -> RetryDecision:
        """Judge the exception that ended the attempt.

        :return: RETRY with delay and reason; FAIL once the author's budget is spent; DEFAULT when a person ended
            the attempt, or when the history cannot be read.
        """
        running = None if context is None else getattr(context["ti"].task, "interruptible_attempt", None)
        if running is not None:
            running.conclude(exception)
        if context is None:
            log.warning("Airflow gave no context, so this failure is not counted: Airflow's own retry rule applies.")
            return RetryDecision.default()
        if ended_by_a_person(context["ti"], patience=REPORT_SECONDS):  # the first question: then the server is there
            notes_of(context["ti"]).verdict = _BY_A_PERSON
            return RetryDecision.default()
        book = _open(context)
        if book is None:
            return RetryDecision.default()
        return self._decide(book, outside_execute(exception, context["ti"].task, book.notes.raised), context)

    def _decide(self, book: Book, exception: BaseException, context: Context) -> RetryDecision:
        fate = fate_of(exception, book.placement.capacity, evidence_of(exception, context))
        error = None if isinstance(exception, Interrupted) else error_line(exception)
        record = replace(book.starting_record(), cause=fate.cause, rule=fate.rule, ended=now(), error=error)
        verdict = decide(book.history, record.trace, fate.evidence)
        authors, said = fate.cause.charge is Charge.USER, None
        try:
            if authors and self.author is not None and (verdict.retry or _RESCHEDULE is not None):
                account = verdict.history.account
                said = self.author.evaluate(exception, account.user_failures, account.budget.user_retries, context)
        finally:
            if said is None or said.action is not _RESCHEDULE:
                _close(book, record, verdict)
        if said is not None and said.action is _RESCHEDULE:
            _leave(book)
            return said
        if not verdict.retry:
            return RetryDecision.fail(verdict.reason)
        if authors:
            return _after_application_error(verdict, said, context)
        delay = system_delay(verdict.history.account.row, book.annotation.system_retry_delay, _random.random())
        return RetryDecision.retry(delay, verdict.reason)


def _open(context: Context) -> Book | None:
    """Return the history, None if it cannot be read: then nobody says who pays for an attempt."""
    try:
        return Book.open(context["ti"].task, context).legible()
    except Exception:
        log.warning(
            "The history cannot be read, so this failure is not counted: Airflow's own retry rule applies.",
            exc_info=True,
        )
        return None


def _close(book: Book, record: Record, verdict: Verdict) -> None:
    try:
        book.close(record, verdict)
    except Exception:
        log.warning("The end of this attempt could not be written down; it may be taken for lost.", exc_info=True)


def _leave(book: Book) -> None:
    """The same attempt goes on later: it has not failed, and costs nothing until then."""
    book.notes.left = now()
    try:
        book.write(book.starting_record(), book.history)
    except Exception:
        log.warning("That this attempt goes on later could not be written down.", exc_info=True)


def _after_application_error(verdict: Verdict, said: RetryDecision | None, context: Context) -> RetryDecision:
    """Return what the author's policy said, and what it left unsaid as Airflow's own arguments have it."""
    delay, reason = (
        AuthorBackoff.of(context["ti"].task).delay(verdict.history.account.user_failures, _random.random()),
        verdict.reason,
    )
    if said is not None and said.action is RetryAction.FAIL:
        return said
    if said is not None and said.action is RetryAction.RETRY:
        delay = delay if said.retry_delay is None else said.retry_delay
        reason = said.reason or reason
    return RetryDecision.retry(delay, reason)
