# SPDX-License-Identifier: Apache-2.0
"""What the API and the command line ask: a report, or a page of interruptions. Wiring only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import from_json

from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import Ledger
from airflow_interruptible.report import rows
from airflow_interruptible.report.memory import MEMORY
from airflow_interruptible.report.recovery import latest, recovered
from airflow_interruptible.report.totals import Report, report
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sqlalchemy.orm import Session

    from airflow_interruptible.report.entry import Entry
    from airflow_interruptible.report.filters import Filters
    from airflow_interruptible.report.memory import Memory, Progress


class Said(NamedTuple):
    """What the ledger says of an attempt in words: too long to be remembered for all of them."""

    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Page:
    """Some interruptions, the latest first, each with what was said of it.

    :param total: how many there are.
    :param complete: False: there may be older ones that have not been read yet.
    """

    total: int
    items: Sequence[tuple[Entry, Said]]
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
    earlier = _before(filters, now)
    known = memory.entries(create_session, (earlier or filters).start, patience, progress)
    chosen = filters.chosen(known.entries, now, readable)
    with create_session() as session:
        tries = rows.tries(session, sorted({entry.row for entry in latest(recovered(chosen, filters.cause))}))
    found = report(
        chosen,
        filters,
        now,
        settings.price_list(),
        settings.currency,
        before=None if earlier is None or known.truncated else earlier.chosen(known.entries, now, readable),
        known_since=_known_since(chosen, now),
        tries=tries,
    )
    found.complete, found.truncated = known.complete, known.truncated
    return found


def _before(filters: Filters, now: float) -> Filters | None:
    """Return the question about the period before, None if Airflow no longer keeps all of it."""
    try:
        earlier = filters.before()
    except OverflowError:
        return None
    kept = rows.kept_since(now)
    return earlier if kept is None or earlier.start.timestamp() >= kept else None


def _known_since(chosen: Sequence[Entry], now: float) -> datetime | None:
    """Return from when on attempts are known: Airflow may not yet have removed all that it no longer keeps."""
    kept = rows.kept_since(now)
    if kept is None:
        return None
    return datetime.fromtimestamp(min(kept, *(entry.end for entry in chosen), now), timezone.utc)


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
    chosen = filters.chosen(known.entries, time.time(), readable)
    found = [entry for entry in chosen if entry.interrupted and filters.cause in (None, entry.cause)]
    found.sort(key=lambda entry: (-entry.end, entry.row, entry.attempt))
    page = found[offset : offset + limit]
    with create_session() as session:
        said = _said(session, page)
    items = [(entry, said.get((entry.row, entry.attempt), Said())) for entry in page]
    return Page(len(found), items, known.complete)


def _said(session: Session, page: Sequence[Entry]) -> dict[tuple[int, int], Said]:
    found: dict[tuple[int, int], Said] = {}
    for batch in rows.some(session, sorted({entry.row for entry in page})):
        for row in batch:
            try:
                records = Ledger.from_json(from_json(row.document)).records
            except (LedgerError, ValueError):
                continue
            found |= {(row.id, number): Said(record.reason, record.error) for number, record in records.items()}
    return found
