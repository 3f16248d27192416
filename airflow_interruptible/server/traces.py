# SPDX-License-Identifier: Apache-2.0
"""Each process of a server leaves a trace that this package is active in it, with its version, and ``doctor`` reads it.

A row of Airflow's audit log, which people see under *Audit Log*, once a process and once a day after that: no table of
our own, and no transaction of our own either, as it goes with one that Airflow writes anyway. Scheduler, Dag processor
and triggerer are known by the heartbeats of their jobs, which name the process that is meant; the API server has none
and is known by its own module. Workers have no database; they write their version into the ledger.
"""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_interruptible import __version__
from airflow_interruptible.server import seam
from airflow_interruptible.server.apart import apart
from airflow_interruptible.server.counting import after_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.orm import Session

EVENT = "airflow-interruptible active"

API_SERVER = "api-server"
_API_SERVER_MODULE = "airflow.api_fastapi.main"
"""What ``airflow api-server`` serves, and nothing else imports (``cli/commands/api_server_command.py``)."""

AGAIN = timedelta(days=1)
"""``airflow db clean`` takes old rows away, and a scheduler may live for months."""

_READ = 2_000
"""Traces that are read: those of a thousand processes of two days."""


@dataclass(frozen=True)
class Trace:
    """What a process left.

    :param component: the type of its job, or :data:`API_SERVER`.
    :param job: the id of its job, None for an API server.
    """

    component: str
    job: int | None
    host: str
    version: str
    at: datetime


@dataclass(frozen=True)
class Server:
    """A server that is alive, by its job."""

    component: str
    job: int
    host: str
    started: datetime | None


@dataclass
class Traces:
    """What this process has left so far."""

    _left: dict[tuple[str, int | None], datetime] = field(default_factory=dict)

    def leave(self, session: Session, rows: Iterable[Any]) -> None:
        """Leave a trace for every server that this flush tells is in this process, unless it has one.

        :param rows: the rows that the flush writes, of those that are watched.
        """
        now = datetime.now(timezone.utc)
        for server in _servers(rows):
            left = self._left.get(server)
            if left is None or now - left >= AGAIN:
                with apart(session, "This process is not told to `airflow interruptible doctor`."):
                    _write(session, *server)
                    after_commit(session, partial(self._left.__setitem__, server, now))


traces = Traces()


def _servers(rows: Iterable[Any]) -> Iterator[tuple[str, int | None]]:
    for row in rows:
        if type(row).__name__ == "Job" and row.id is not None:
            yield str(row.job_type), row.id
    if _API_SERVER_MODULE in sys.modules:
        yield API_SERVER, None


def _write(session: Session, component: str, job: int | None) -> None:
    from sqlalchemy import insert

    told = {"component": component, "job": job, "host": socket.gethostname(), "version": __version__}
    row = {"dttm": datetime.now(timezone.utc), "event": EVENT, "owner": "airflow", "extra": json.dumps(told)}
    session.execute(insert(seam.models().log).values(**row))


def found(session: Session) -> list[Trace]:
    """Return the traces of the last two days, the latest first."""
    from sqlalchemy import select

    model = seam.models().log
    recent = model.dttm > datetime.now(timezone.utc) - 2 * AGAIN
    rows = session.execute(
        select(model.dttm, model.extra).where(model.event == EVENT, recent).order_by(model.dttm.desc()).limit(_READ)
    )
    return [trace for at, extra in rows if (trace := _read(at, extra)) is not None]


def _read(at: datetime, extra: object) -> Trace | None:
    """Return a trace; None for a row that somebody else wrote under that name."""
    try:
        told = json.loads(str(extra))
        job = told["job"]
        return Trace(str(told["component"]), None if job is None else int(job), str(told["host"]),
                     str(told["version"]), at)  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return None


def alive(session: Session) -> Sequence[Server]:
    """Return the servers whose jobs Airflow takes for alive.

    :raises SeamChangedError: its jobs are not those we know.
    """
    from sqlalchemy import select

    try:
        from airflow.jobs.job import Job
    except ImportError as error:
        raise seam.SeamChangedError(f"a model of Airflow's metadata database has moved: {error}") from error
    rows = session.scalars(select(Job).where(Job.state == "running").order_by(Job.id))
    return [Server(str(row.job_type), row.id, row.hostname or "?", row.start_date) for row in rows if row.is_alive()]


def last_begun(session: Session) -> datetime | None:
    """Return when an API server last let a worker begin an attempt, None if none ever did."""
    from sqlalchemy import select

    model = seam.models().log
    query = select(model.dttm).where(model.event == "running").order_by(model.id.desc()).limit(1)
    return session.scalar(query)  # by the primary key, backwards: there are many of them
