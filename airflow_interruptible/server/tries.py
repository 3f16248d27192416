# SPDX-License-Identifier: Apache-2.0
"""The tries of a task instance as Airflow's metadata database holds them, and its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.ledger import KEY, Ledger
from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Try:
    """One row of Airflow's about one try."""

    number: int
    state: str | None
    start: datetime | None
    end: datetime | None
    hostname: str | None
    marker: Marker | None


@dataclass(frozen=True)
class TaskInstanceTries:
    """All that is known of a task instance: its tries, oldest first, and its ledger.

    :param max_tries: Airflow's column.
    :param conf: the run's conf.
    """

    tries: Sequence[Try]
    ledger: Ledger
    max_tries: int
    conf: dict[str, Any]


def read(session: Session, key: seam.Key) -> TaskInstanceTries | None:
    """Return what the database holds about a task instance, None if there is none.

    :raises LedgerError: its ledger cannot be read.
    """
    from sqlalchemy import select

    ti = seam.find(session, key)
    if ti is None:
        return None
    model = seam.models().history
    dag_id, task_id, run_id, map_index = key
    past = session.scalars(
        select(model)
        .where(model.dag_id == dag_id, model.task_id == task_id, model.run_id == run_id, model.map_index == map_index)
        .order_by(model.try_number)
    )
    rows = {row.try_number: row for row in [ti, *past]}  # the row itself already tells of the next try
    ledger = Ledger.from_json(seam.read_state(session, ti, KEY))
    tries = [_try(number, row) for number, row in sorted(rows.items()) if number > 0]
    return TaskInstanceTries(tries, ledger, ti.max_tries, dict(ti.dag_run.conf or {}))


def _try(number: int, row: Any) -> Try:
    state = None if row.state is None else str(getattr(row.state, "value", row.state))
    return Try(number, state, row.start_date, row.end_date, row.hostname, Marker.from_config(row.executor_config))
