# SPDX-License-Identifier: Apache-2.0
"""Reports and interruptions, from what was counted to what the API answers; and what the query says, read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError

from airflow_interruptible.report.filters import FIELDS, Filters, time_range
from airflow_interruptible.ui import schemas

if TYPE_CHECKING:
    from airflow_interruptible.report.answer import Page, Said
    from airflow_interruptible.report.entry import Entry
    from airflow_interruptible.report.totals import Report


def filters(asked: schemas.Asked) -> Filters:
    """Return what the query asks for; an empty value asks for nothing."""
    said = asked.model_dump(mode="json", include=set(FIELDS))
    try:
        start, end = time_range(asked.start, asked.end, datetime.now(timezone.utc))
        return Filters(start, end, **{name: value or None for name, value in said.items()})
    except ValueError as error:
        wrong = {"type": "value_error", "loc": ("query", "end"), "msg": str(error)}
        raise RequestValidationError([wrong]) from error


def report(found: Report) -> schemas.Report:
    """Return what the API answers."""
    return schemas.Report.model_validate(found)


def page(found: Page) -> schemas.Interruptions:
    """Return what the API answers."""
    return schemas.Interruptions(
        total=found.total, items=[_item(*each) for each in found.items], complete=found.complete
    )


def _item(entry: Entry, said: Said) -> schemas.Interruption:
    lost = entry.lost(entry.end)
    facts = {**entry._asdict(), "start": _moment(entry.start), "end": _moment(entry.end)}
    return schemas.Interruption.model_validate({**facts, **said._asdict(), "lost_seconds": lost})


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
