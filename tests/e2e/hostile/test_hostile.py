# SPDX-License-Identifier: Apache-2.0
"""A real scheduler on PostgreSQL, ten thousand forged ledgers and markers, and a neighbour who notices none of it.

Slow: ``make chaos`` runs it. The task instances never run. Forty at a time are made into those of a dead machine, which
one sweep of the scheduler finds; Airflow alone takes up to a tenth of a second for each.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from forged import FORGED, MARKERS
from metadata import metadata_database
from postgres import postgres
from sqlalchemy import select
from waiting import PATIENCE

from airflow_interruptible.ledger import KEY
from airflow_interruptible.server import state_store
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from e2e.conftest import StartLab

    from airflow_interruptible.testing import SpotLab

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FORGERIES = int(os.environ.get("FORGERIES", "10000"))
TASKS = 100
"""Of one run of the Dag ``hostile``."""

AT_ONCE = 40
THRESHOLD = 30.0
"""``[scheduler] scheduler_health_check_threshold``, in seconds: Airflow's default."""

_numbers = count()


class Database:
    """What is in the metadata database, by a connection of our own."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url.replace("+psycopg2", ""))
        self._connection.autocommit = True
        self._lock = threading.Lock()

    def ask(self, question: str, *values: Any) -> list[Any]:
        with self._lock, self._connection.cursor() as cursor:
            cursor.execute(question, values)
            return list(cursor.fetchall())

    def scheduler(self) -> tuple[int, float]:
        """The id of the scheduler's job, and how many seconds ago it said that it is alive."""
        found = "SELECT id, latest_heartbeat FROM job WHERE job_type = 'SchedulerJob' ORDER BY id DESC LIMIT 1"
        ((job, beat),) = self.ask(found)
        return job, (datetime.now(timezone.utc) - beat).total_seconds()

    def waiting(self) -> list[str]:
        """The task instances that wait for their pool."""
        question = "SELECT id FROM task_instance WHERE dag_id = 'hostile' AND state = 'scheduled' AND try_number < 2"
        return [str(row[0]) for row in self.ask(question)]

    def states(self, ids: Sequence[Any]) -> set[str]:
        question = "SELECT DISTINCT state FROM task_instance WHERE dag_id = 'hostile' AND (task_id, run_id) IN %s"
        return {row[0] for row in self.ask(question, tuple(ids))}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def lab(start_lab: StartLab, url: str) -> Iterator[SpotLab]:
    scheduler = {"task_instance_heartbeat_timeout_detection_interval": 1, "scheduler_health_check_threshold": THRESHOLD}
    lab = start_lab(
        Path(__file__).parent / "dags",
        sql_alchemy_conn=url,
        config={"scheduler": scheduler, "interruptible": {"system_retry_delay": 0.5}},
    )
    with metadata_database(url):
        yield lab


@pytest.fixture
def database(url: str) -> Database:
    return Database(url)


@pytest.fixture
def beats(lab: SpotLab, database: Database) -> Iterator[list[float]]:
    """How old the scheduler's heartbeat is, twice a second."""
    ages: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            ages.append(database.scheduler()[1])

    watching = threading.Thread(target=watch)
    watching.start()
    yield ages
    over.set()
    watching.join()


def kill(ids: Sequence[str], scheduler: int) -> list[tuple[str, str]]:
    """Let them have been at work on a machine that nobody has heard of for an hour, with forged papers."""
    an_hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    with create_session(scoped=False) as session:
        rows = session.scalars(select(TaskInstance).where(TaskInstance.id.in_(ids))).all()
        for row in rows:
            number = next(_numbers)
            state_store.write_state(session, row, KEY, FORGED[number % len(FORGED)])
            if number % 2:
                row.executor_config = {**row.executor_config, "interruptible": MARKERS[number // 2 % len(MARKERS)]}
        session.flush()
        for row in rows:
            row.state, row.try_number, row.queued_by_job_id = "running", 1, scheduler
            row.start_date = row.last_heartbeat_at = an_hour_ago
        return [(row.task_id, row.run_id) for row in rows]


def test_forgeries_stop_nobody(lab: SpotLab, database: Database, beats: list[float]) -> None:
    Pool.create_or_update_pool("closed", slots=0, description="nothing of it is queued", include_deferred=False)
    for _ in range(0, FORGERIES, TASKS):
        lab.trigger("hostile")
    found = wait_until(
        database.waiting,
        lambda found: len(found) >= FORGERIES,
        what="all of them to wait for their pool",
        timeout=PATIENCE * max(1, FORGERIES // 1000),
    )
    for first in range(0, FORGERIES, AT_ONCE):
        dead = kill(found[first : first + AT_ONCE], database.scheduler()[0])
        neighbour = lab.trigger("neighbour")
        states = wait_until(
            lambda dead=dead: database.states(dead),
            lambda states: "running" not in states,
            what="the dead to be found",
            timeout=PATIENCE,
        )
        assert states <= {"up_for_retry", "scheduled"}, "plain Airflow would retry every one of them"
        assert lab.client.wait_for_run(neighbour, timeout=PATIENCE).state == "success"
    assert max(beats) < THRESHOLD
