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

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

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
        if context is None:
            log.warning("Airflow gave no context, so this failure is not counted: Airflow's own retry rule applies.")
            return RetryDecision.default()
        if ended_by_a_person(context["ti"]):
            notes_of(context["ti"]).verdict = _BY_A_PERSON
            return RetryDecision.default()
        try:
            book = Book.open(context["ti"].task, context)
        except Exception:
            log.warning(
                "The history cannot be read, so this failure is not counted: Airflow's own retry rule applies.",
                exc_info=True,
            )
            return RetryDecision.default()
        return self._decide(book, outside_execute(exception, context["ti"].task, book.notes.raised), context)

    def _decide(self, book: Book, exception: BaseException, context: Context) -> RetryDecision:
        fate = fate_of(exception, book.placement.capacity, evidence_of(exception, context))
        error = None if isinstance(exception, Interrupted) else error_line(exception)
        record = replace(book.starting_record(), cause=fate.cause, rule=fate.rule, ended=now(), error=error)
        verdict = decide(book.history, record.trace, fate.evidence)
        try:
            book.close(record, verdict)
        except Exception:
            log.warning("The end of this attempt could not be written down; it may be taken for lost.", exc_info=True)
        if not verdict.retry:
            return RetryDecision.fail(verdict.reason)
        if record.cause is not None and record.cause.charge is Cause.APPLICATION.charge:
            return self._after_application_error(verdict, exception, context)
        delay = system_delay(verdict.history.account.row, book.annotation.system_retry_delay, random.random())
        return RetryDecision.retry(delay, verdict.reason)

    def _after_application_error(self, verdict: Verdict, exception: BaseException, context: Context) -> RetryDecision:
        account = verdict.history.account
        delay, reason = (
            AuthorBackoff.of(context["ti"].task).delay(account.user_failures, random.random()),
            verdict.reason,
        )
        if self.author is not None:
            decision = self.author.evaluate(exception, account.user_failures, account.budget.user_retries, context)
            if decision.action is RetryAction.FAIL:
                return decision
            if decision.action is RetryAction.RETRY:
                delay = delay if decision.retry_delay is None else decision.retry_delay
                reason = decision.reason or reason
        return RetryDecision.retry(delay, reason)
