# SPDX-License-Identifier: Apache-2.0
"""What the API and the command line ask: a report, or a page of interruptions. Wiring only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import from_json

from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import Ledger
from airflow_interruptible.report import rows
from airflow_interruptible.report.memory import MEMORY
from airflow_interruptible.report.totals import Report, report
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sqlalchemy.orm import Session

    from airflow_interruptible.report.entry import Entry
    from airflow_interruptible.report.filters import Filters
    from airflow_interruptible.report.memory import Memory, Progress


@dataclass(frozen=True)
class Page:
    """Some interruptions, the latest first, each with its reason.

    :param total: how many there are.
    :param complete: False: there may be older ones that have not been read yet.
    """

    total: int
    items: Sequence[tuple[Entry, str | None]]
    complete: bool


def full_report(
    filters: Filters,
    readable: Container[str] | None = None,
    *,
    patience: float | None = None,
    progress: Progress | None = None,
    memory: Memory = MEMORY,
) -> Report:
    """Return the report on the attempts that are asked for.

    :param readable: the Dags that may be read, None for all.
    :param patience: how many seconds to wait for attempts that have not been read yet, None for as long as it takes.
    """
    from airflow.utils.session import create_session

    settings, now = get_settings(), time.time()
    known = memory.entries(create_session, filters.start, patience, progress)
    chosen = filters.chosen(known.entries, now, readable)
    found = report(chosen, filters, now, settings.price_list(), settings.currency)
    found.complete, found.truncated = known.complete, known.truncated
    return found


def interruptions(
    filters: Filters,
    readable: Container[str] | None,
    *,
    limit: int,
    offset: int,
    patience: float | None = None,
    memory: Memory = MEMORY,
) -> Page:
    """Return a page of the interruptions that are asked for."""
    from airflow.utils.session import create_session

    known = memory.entries(create_session, filters.start, patience)
    found = [entry for entry in filters.chosen(known.entries, time.time(), readable) if entry.interrupted]
    found.sort(key=lambda entry: (-entry.end, entry.row, entry.attempt))
    page = found[offset : offset + limit]
    with create_session() as session:
        reasons = _reasons(session, page)
    items = [(entry, reasons.get((entry.row, entry.attempt))) for entry in page]
    return Page(len(found), items, known.complete)


def _reasons(session: Session, page: Sequence[Entry]) -> dict[tuple[int, int], str | None]:
    """Return the reasons, which are too long to be remembered for all attempts."""
    found: dict[tuple[int, int], str | None] = {}
    for batch in rows.some(session, sorted({entry.row for entry in page})):
        for row in batch:
            try:
                records = Ledger.from_json(from_json(row.document)).records
            except (LedgerError, ValueError):
                continue
            found |= {(row.id, number): record.reason for number, record in records.items()}
    return found
