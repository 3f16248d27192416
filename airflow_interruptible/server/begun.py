# SPDX-License-Identifier: Apache-2.0
"""Which workers have begun attempts of ours of late, and what they wrote down: for ``doctor``.

A worker has no database, so its trace is the ledger: an attempt that began and of which the ledger says nothing ran on
a worker without this package, or on one that could not reach the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import KEY, Ledger
from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam, state_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

RECENT = timedelta(days=1)

_READ = 300
"""Task instances that are looked at, the latest first: each costs a statement, and workers repeat themselves."""

_BEGINNING = timedelta(seconds=60)
"""An attempt that has only just begun may not have written anything yet."""


@dataclass(frozen=True)
class Begun:
    """An attempt of ours that a worker has begun.

    :param version: of this package there; None if the worker wrote nothing, empty if it wrote down no version.
    :param places: the names of what it wrote down of the place, such as ``instance_id``.
    """

    host: str
    queue: str | None
    version: str | None
    places: frozenset[str] = frozenset()


def begun(session: Session) -> Iterator[Begun]:
    """Yield attempts of marked tasks that workers have begun within a day, the latest first.

    :raises SeamChangedError: Airflow's models are not those we know.
    """
    from sqlalchemy import select

    now = datetime.now(timezone.utc)
    model = seam.models().task_instance
    recent = (model.last_heartbeat_at > now - RECENT, model.start_date < now - _BEGINNING)  # by an index
    for row in session.scalars(select(model).where(*recent).order_by(model.last_heartbeat_at.desc()).limit(_READ)):
        if row.hostname and Marker.from_config(row.executor_config) is not None:
            yield _attempt(session, row)


def _attempt(session: Session, row: Any) -> Begun:
    try:
        record = Ledger.from_json(state_store.read_state(session, row, KEY)).records.get(row.try_number)
    except (LedgerError, ValueError):
        return Begun(row.hostname, row.queue, "")  # somebody has written there, and the package may well be there
    if record is None or record.started is None:
        return Begun(row.hostname, row.queue, None)
    return Begun(row.hostname, row.queue, record.version or "", frozenset(record.where))
