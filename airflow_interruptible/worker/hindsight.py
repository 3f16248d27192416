# SPDX-License-Identifier: Apache-2.0
"""Look where the last attempt ran, if it vanished, and put what is found there in the place of what was presumed.

Done before any work begins, so that a budget that turns out to be spent fails the task at once.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.witness import proved

if TYPE_CHECKING:
    from airflow_interruptible.core.classification import Classification
    from airflow_interruptible.core.history import Attempt
    from airflow_interruptible.worker.book import Book

log = logging.getLogger(__name__)


def corrected(book: Book, task: object = None) -> Book:
    """Return ``book`` with the cause of the last attempt, where it vanished and left evidence; else as it is.

    :param task: the operator, which knows how to reach the cluster where it launched work.
    """
    vanished = _vanished(book)
    if vanished is None:
        return book
    try:
        answer = _look(book, vanished, task)
    except Exception:
        log.warning("Where the last attempt ran could not be looked at; what is presumed of it stands.", exc_info=True)
        return book
    if answer is None or proved(answer.cause) is None:
        return book
    log.info("Attempt %d vanished; evidence says why: %s", vanished.number, answer.reason)
    record = replace(book.ledger.records[vanished.number], cause=answer.cause, rule=answer.rule, reason=answer.reason)
    return replace(book, ledger=book.ledger.with_record(vanished.number, record))


def _vanished(book: Book) -> Attempt | None:
    attempts = book.history.attempts
    return attempts[-1] if attempts and attempts[-1].presumed is Ending.VANISHED else None


def _look(book: Book, vanished: Attempt, task: object) -> Classification | None:
    # Loaded only after an attempt has vanished.
    from airflow_interruptible import remote
    from airflow_interruptible.core.classification import classify
    from airflow_interruptible.rules import DEFAULT_RULES

    record = book.ledger.records[vanished.number]
    evidence = remote.look_back(record.where, vanished.capacity, since=record.started, task=task)
    return None if evidence is None else classify(evidence, DEFAULT_RULES)
