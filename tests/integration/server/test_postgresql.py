# SPDX-License-Identifier: Apache-2.0
"""On PostgreSQL, one statement that fails gives up a whole transaction: never Airflow's, for one of ours.

Another connection holds what a worker holds for a moment: the row of a ledger. Whatever then ends our statement, the
task is in the state that plain Airflow gives it, and no other task of the transaction notices.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from metadata import metadata_database
from postgres import postgres
from sqlalchemy import text
from waiting import until

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.ledger import Record
from airflow_interruptible.server import apart

from .conftest import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ON_SPOT = Record(capacity=CapacityType.SPOT, started="2026-01-01T00:00:00+00:00")
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
LONG = 600_000
"""Milliseconds: long enough that something else ends the wait."""


@dataclass
class Other:
    """A connection of somebody else's."""

    connection: Any

    def run(self, statement: str, *values: Any) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def hold_ledger(self, dag_id: str) -> None:
        """What a worker that writes its ledger does, until it commits."""
        assert self.run("SELECT id FROM task_state_store WHERE dag_id = %s FOR UPDATE", dag_id)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def database(server: str) -> Iterator[None]:
    with metadata_database(server):
        yield


@pytest.fixture
def connect(server: str) -> Iterator[Callable[[], Other]]:
    opened: list[Any] = []

    def another() -> Other:
        opened.append(psycopg2.connect(server.replace("+psycopg2", "")))
        return Other(opened[-1])

    yield another
    for connection in opened:
        connection.close()


@pytest.fixture
def running(deploy: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **said: deploy(**said).trigger().start_run().run(record=ON_SPOT)


def die(*deployments: Any, **limits: int) -> None:
    """Let the scheduler find all of them dead, in one transaction that an administrator has set limits for."""
    with transaction() as session:
        for name, milliseconds in limits.items():
            session.execute(text(f"SET {name} = {milliseconds}"))
        for deployment in deployments:
            ti = deployment._ti(session)
            ti.task = deployment.serialized.get_task(deployment.task_id)
            ti.handle_failure("the process is gone", session=session)
        for name in limits:
            assert session.execute(text(f"SHOW {name}")).scalar_one() == "10min"
            session.execute(text(f"RESET {name}"))


@contextmanager
def ended_from_outside(connect: Callable[[], Other], function: str) -> Iterator[None]:
    """End the first statement that waits for a lock, by one of PostgreSQL's functions."""

    def end() -> None:
        other = connect()
        other.connection.autocommit = True
        found = until(lambda: other.run(WAITING))
        other.run(f"SELECT {function}(%s)", found[0][0])

    thread = threading.Thread(target=end)
    thread.start()
    yield
    thread.join()


def test_a_worker_that_writes_its_ledger_delays_nobody(
    running: Any, connect: Any, warnings_of: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    held, free = running(), running()
    connect().hold_ledger(held.dag.dag_id)
    die(held, free, lock_timeout=LONG, statement_timeout=LONG)
    assert (held.row().state, free.row().state) == ("up_for_retry", "up_for_retry")
    assert [each.retry_reason is None for each in (held.row(), free.row())] == [True, False]
    assert len(warnings_of()) == 1
    assert ON_SPOT.started not in caplog.text, "what a ledger says does not belong into the log"


def test_a_statement_that_takes_too_long(running: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "LOCK_TIMEOUT", LONG)
    monkeypatch.setattr(apart, "STATEMENT_TIMEOUT", 200)
    held, free = running(), running()
    connect().hold_ledger(held.dag.dag_id)
    die(held, free)
    assert (held.row().state, held.row().retry_reason) == ("up_for_retry", None)
    assert free.row().retry_reason is not None


def test_a_statement_that_somebody_cancels(running: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCK_TIMEOUT", "STATEMENT_TIMEOUT"):
        monkeypatch.setattr(apart, name, LONG)
    held, free = running(), running()
    connect().hold_ledger(held.dag.dag_id)
    with ended_from_outside(connect, "pg_cancel_backend"):
        die(held, free)
    assert (held.row().state, held.row().retry_reason) == ("up_for_retry", None)
    assert free.row().retry_reason is not None


def test_a_deadlock_that_we_are_the_victim_of(running: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker holds its ledger and waits for the row of its task, which the scheduler holds."""
    for name in ("LOCK_TIMEOUT", "STATEMENT_TIMEOUT"):
        monkeypatch.setattr(apart, name, LONG)
    held, free = running(), running()
    worker = connect()
    worker.run("SET deadlock_timeout = 600000")
    worker.hold_ledger(held.dag.dag_id)
    wait = threading.Thread(
        target=worker.run, args=("SELECT id FROM task_instance WHERE dag_id = %s FOR UPDATE", held.dag.dag_id)
    )
    with transaction() as session:
        session.execute(text("SET deadlock_timeout = 100"))
        ti = held._ti(session)
        session.execute(text("SELECT id FROM task_instance WHERE id = :id FOR UPDATE"), {"id": str(ti.id)})
        wait.start()
        watch = connect()
        watch.connection.autocommit = True
        until(lambda: watch.run(WAITING))
        for each in (held, free):
            ti = each._ti(session)
            ti.task = each.serialized.get_task(each.task_id)
            ti.handle_failure("the process is gone", session=session)
    wait.join()
    assert (held.row().state, held.row().retry_reason) == ("up_for_retry", None)
    assert free.row().retry_reason is not None


def test_a_connection_that_is_lost_is_airflow_s_to_know(
    running: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without us: nothing of the transaction is written, and whoever began it hears of it."""
    from sqlalchemy.exc import DBAPIError

    for name in ("LOCK_TIMEOUT", "STATEMENT_TIMEOUT"):
        monkeypatch.setattr(apart, name, LONG)
    held = running()
    connect().hold_ledger(held.dag.dag_id)
    with ended_from_outside(connect, "pg_terminate_backend"), pytest.raises(DBAPIError):
        die(held)
    assert held.row().state == "running"
    die_again = connect()
    die_again.connection.autocommit = True
    assert die_again.run("SELECT 1") == [(1,)]
