# SPDX-License-Identifier: Apache-2.0
"""Running attempts whose heartbeat is late: which there are, and how Airflow is let know that one of them is over.

It is the scheduler's own sweep for tasks without heartbeats that ends an attempt, with its callbacks and its executor's
slot. It looks for heartbeats older than ``[scheduler] task_instance_heartbeat_timeout``, so the heartbeat of an attempt
that is proved to be over is dated back by that time. A heartbeat that comes after all, between the look and the sweep,
puts it right again. What of Airflow's models this needs beyond the seam is named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import KEY, Ledger
from airflow_interruptible.remote.presence import Life
from airflow_interruptible.server import seam, state_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy.orm import Session

    from airflow_interruptible.ledger import Record
    from airflow_interruptible.server.seam import Key

_RUNNING = "running"

_MOST = 500
"""Attempts in one look: as many as a few calls can ask about. The longest silent come first."""


_COLUMNS = {"id", "last_heartbeat_at", "external_executor_id", "queued_by_job_id"}


def check() -> None:
    """Make sure that this Airflow is one that we know.

    :raises SeamChangedError: something has moved; the message names it.
    """
    seam.require(seam.models().task_instance, _COLUMNS)


@dataclass(frozen=True)
class Overdue:
    """An attempt that was not heard of for a while.

    :param row_id: the id of its row, which no other try has.
    :param number: its try number.
    :param heard: its last heartbeat.
    :param capacity: what it runs on.
    """

    row_id: Any
    key: Key
    number: int
    heard: datetime
    life: Life
    capacity: CapacityType = CapacityType.ON_DEMAND


def silent(job_id: int, after: timedelta, but: Collection[Any] = ()) -> Iterator[Overdue]:
    """Yield the attempts of ours that a scheduler minds and that are late, the longest silent first.

    :param job_id: the scheduler's job: each minds those that it queued or adopted, as Airflow's sweep does.
    :param after: how long ago the last heartbeat has to be.
    :param but: ids of rows whose turn it is not.
    :raises Exception: whatever the database raises.
    """
    from airflow.utils.session import create_session
    from sqlalchemy import select

    model = seam.models().task_instance
    late = select(model).where(
        model.state == _RUNNING,
        model.queued_by_job_id == job_id,
        model.last_heartbeat_at < datetime.now(timezone.utc) - after,
    )
    with create_session(scoped=False) as session:
        for row in session.scalars(late.order_by(model.last_heartbeat_at).limit(_MOST + len(but))):
            record = None if row.id in but else _record(session, row)
            if record is not None:
                life = Life(_executor(row.executor), _texts(record.where), row.external_executor_id, row.start_date)
                capacity = record.capacity or CapacityType.ON_DEMAND
                yield Overdue(row.id, seam.key_of(row), row.try_number, row.last_heartbeat_at, life, capacity)


def expire(attempt: Overdue) -> bool:
    """Let the heartbeat of an attempt be as late as Airflow's own sweep wants it, unless it was heard of meanwhile.

    :return: whether that was done.
    """
    from airflow.configuration import conf
    from airflow.utils.session import create_session
    from sqlalchemy import update

    model = seam.models().task_instance
    limit = timedelta(seconds=conf.getint("scheduler", "task_instance_heartbeat_timeout") + 1)
    untouched = (model.id == attempt.row_id, model.state == _RUNNING, model.last_heartbeat_at == attempt.heard)
    backwards = min(attempt.heard, datetime.now(timezone.utc) - limit)
    with create_session(scoped=False) as session:
        done: Any = session.execute(
            update(model).where(*untouched).values(last_heartbeat_at=backwards),
            execution_options={"synchronize_session": False},
        )
        return bool(done.rowcount)


def _record(session: Session, row: Any) -> Record | None:
    """What the ledger knows of the attempt; None for a task that nobody keeps books on."""
    try:
        return Ledger.from_json(state_store.read_state(session, row, KEY)).records.get(row.try_number)
    except (LedgerError, ValueError):  # nothing is known of where it runs, so nothing is done
        return None


def _texts(where: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in where.items() if isinstance(value, str | int)}


@cache
def _executor(name: str | None) -> str:
    """Return the class name of an executor as rows name it; None is the default one."""
    from airflow.executors.executor_loader import ExecutorLoader

    known = ExecutorLoader.get_executor_names(validate_teams=False)
    ours = [each for each in known if name in (each.alias, each.module_path, each.module_path.rpartition(".")[2])]
    chosen = known[0] if name is None else next(iter(ours), None)
    return "" if chosen is None else ExecutorLoader.import_executor_cls(chosen)[0].__name__
