# SPDX-License-Identifier: Apache-2.0
"""A real scheduler on PostgreSQL, ten thousand forged ledgers and markers, and a neighbour who notices none of it.

Slow: ``make chaos`` runs it. Four hundred dead task instances are found in one sweep, as when a zone goes down.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from postgres import postgres
from waiting import PATIENCE

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.conftest import StartLab

    from airflow_interruptible.testing import SpotLab

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BATCHES, RUNS, TASKS = 1, 4, 100
THRESHOLD = 30.0
"""``[scheduler] scheduler_health_check_threshold``, in seconds: Airflow's default."""

TESTS = Path(__file__).parents[2]


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

    def heartbeat_age(self) -> float:
        """Seconds since the scheduler said that it is alive."""
        beats = self.ask("SELECT max(latest_heartbeat) FROM job WHERE job_type = 'SchedulerJob'")
        return (datetime.now(timezone.utc) - beats[0][0]).total_seconds()

    def states(self, runs: list[str]) -> dict[str, int]:
        """How many task instances of the runs are in which state."""
        question = "SELECT state, count(*) FROM task_instance WHERE run_id = ANY(%s) GROUP BY state"
        return dict(self.ask(question, runs))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def lab(start_lab: StartLab, url: str) -> SpotLab:
    scheduler = {"task_instance_heartbeat_timeout_detection_interval": 1, "scheduler_health_check_threshold": THRESHOLD}
    return start_lab(
        Path(__file__).parent / "dags",
        sql_alchemy_conn=url,
        config={"scheduler": scheduler, "interruptible": {"system_retry_delay": 0.5}},
    )


def in_stack(lab: SpotLab, *arguments: str) -> None:
    command = [sys.executable, "-m", "e2e.hostile.seed", *arguments]
    env = {**lab.stack.env, "PYTHONPATH": f"{TESTS}:{lab.stack.env.get('PYTHONPATH', '')}"}
    subprocess.run(command, env=env, cwd=lab.stack.home, check=True)


def test_ten_thousand_forgeries_stop_nobody(lab: SpotLab, url: str) -> None:
    database, ages, over = Database(url), [], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            ages.append(database.heartbeat_age())

    in_stack(lab, "--pool")
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for _ in range(BATCHES):
            runs = [lab.trigger("hostile").run_id for _ in range(RUNS)]
            wait_until(
                lambda runs=runs: database.states(runs),
                lambda states: states == {"scheduled": RUNS * TASKS},
                what="all of them to wait for their pool",
                timeout=PATIENCE,
            )
            in_stack(lab, *runs)
            neighbour = lab.trigger("neighbour")
            states = wait_until(
                lambda runs=runs: database.states(runs),
                lambda states: "running" not in states,
                what="the dead to be found",
                timeout=PATIENCE,
            )
            assert set(states) <= {"up_for_retry", "scheduled"}, "plain Airflow would retry every one of them"
            assert lab.client.wait_for_run(neighbour, timeout=PATIENCE).state == "success"
    finally:
        over.set()
        watching.join()
    assert max(ages) < THRESHOLD
