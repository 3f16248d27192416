# SPDX-License-Identifier: Apache-2.0
"""A part of Airflow's transaction that may fail by itself: a savepoint, in which nothing waits for long.

PostgreSQL gives up a whole transaction for one statement that fails, and Airflow's scheduler ends with it. A worker may
hold the row of its ledger, and the scheduler's loop must not stand still until it lets go.

SQLite needs none of it: a statement that fails undoes itself alone there, and a savepoint would commit what it holds if
it is the first thing in a transaction.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_interruptible.server.complaints import complaints
from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection
    from sqlalchemy.orm import Session

LOCK_TIMEOUT = 500
"""Milliseconds to wait for somebody else's lock. A worker holds that of its ledger for a few."""

STATEMENT_TIMEOUT = 2000
"""Milliseconds for one statement: each reads or writes one row by its key."""


@contextmanager
def tolerated(what: str) -> Iterator[None]:
    """Run the ``with`` block; if it fails, say so, and go on."""
    try:
        yield
    except SeamChangedError:
        raise
    except Exception as error:  # noqa: BLE001 - nothing of ours may fail what Airflow does
        complaints.tell(what, error)


@contextmanager
def apart(session: Session, what: str) -> Iterator[None]:
    """Run the ``with`` block; if it fails, undo what it did in the database, say so, and go on.

    :param what: what follows if it fails, for the log.
    :raises Exception: it cannot be undone: the connection is lost, or the database has given up the transaction, as
        MySQL does for the victim of a deadlock. Airflow has to know.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        with tolerated(what):
            yield
        return
    savepoint = connection.begin_nested()
    try:
        with _impatient(connection):
            yield
    except Exception as error:
        if connection.invalidated:  # rolling back would not fail, and whatever Airflow does next would
            raise
        savepoint.rollback()
        if isinstance(error, SeamChangedError):
            raise
        complaints.tell(what, error)
    else:
        savepoint.commit()


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Let no statement wait for long. What Airflow, or its administrator, has set holds again afterwards."""
    from sqlalchemy import text

    if connection.dialect.name == "postgresql":
        change = "set_config('lock_timeout', :lock, true), set_config('statement_timeout', :statement, true)"
        before = "current_setting('lock_timeout'), current_setting('statement_timeout')"
        ours = {"lock": str(LOCK_TIMEOUT), "statement": str(STATEMENT_TIMEOUT)}
        lock, statement, *_ = connection.execute(text(f"SELECT {before}, {change}"), ours).one()
        yield
        # After a failure, the savepoint undoes it.
        connection.execute(text(f"SELECT {change}"), {"lock": lock, "statement": statement})
    elif connection.dialect.name in ("mysql", "mariadb"):
        before = connection.execute(text("SELECT @@SESSION.innodb_lock_wait_timeout")).scalar_one()
        connection.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))  # whole seconds
        try:
            yield
        finally:
            connection.execute(text(f"SET SESSION innodb_lock_wait_timeout = {int(before)}"))
    else:
        yield
