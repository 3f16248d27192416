# SPDX-License-Identifier: Apache-2.0
"""Looks for a crowd of attempts whose heartbeat is late, beside the scheduler's own loop on the same database."""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import func, insert, select
from uuid6 import uuid7

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.ledger import KEY, Ledger, Record
from airflow_interruptible.server.lookout import Watch
from benchmarks.probes.state_update import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB = 7
LATE = timedelta(seconds=10)
SILENT = timedelta(seconds=20)


def now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


def crowd(size: int) -> None:
    """Let as many attempts run, each on a machine of its own, and none of them be heard of for a while."""
    table, store = TaskInstance.__table__, TaskStateStoreModel.__table__
    with create_session(scoped=False) as session:
        model = dict(session.execute(select(table)).mappings().one())
        run = session.scalar(select(TaskInstance)).dag_run.id  # type: ignore[union-attr]
        common = {"state": "running", "try_number": 1, "start_date": now() - SILENT, "queued_by_job_id": JOB}
        common |= {"last_heartbeat_at": now() - SILENT, "hostname": "worker"}
        rows = [{**model, **common, "id": uuid7(), "map_index": number} for number in range(size)]
        session.execute(insert(table), rows)
        session.execute(insert(store), [_stored(row, run, number) for number, row in enumerate(rows)])


def _stored(row: dict[str, Any], run: int, number: int) -> dict[str, Any]:
    where = {"host": f"worker-{number}", "pid": 100 + number, "instance_id": f"i-{number:017x}", "region": "us-east-1"}
    ledger = Ledger(5, (0,), {1: Record(CapacityType.SPOT, started=now().isoformat(), where=where)})
    key = {name: row[name] for name in ("dag_id", "task_id", "run_id", "map_index")}
    return {**key, "dag_run_id": run, "key": KEY, "value": json.dumps(ledger.to_json()), "updated_at": now()}


def loops(until: threading.Event, at_least: int) -> Iterator[float]:
    """Schedule as a scheduler does in its loop, again and again; yield how long each time took."""
    runner = SchedulerJobRunner(Job(), executors=[BaseExecutor()])
    runner.job.id = 8  # another scheduler's attempts are looked for meanwhile, as it may be in this process
    done = 0
    while done < at_least or not until.is_set():
        began = time.monotonic()
        with create_session() as session:
            runner._do_scheduling(session)  # noqa: SLF001 - the loop's own step, which has no other name
        yield time.monotonic() - began
        done += 1


def ended() -> int:
    """How many attempts are dated back, for Airflow's sweep to end."""
    long_ago = now() - 10 * SILENT
    with create_session() as session:
        return session.scalar(select(func.count()).where(TaskInstance.last_heartbeat_at < long_ago)) or 0


def main(file: Path, dag_id: str, size: int, rounds: int) -> None:
    """Print how long the loop takes without a look and beside one, and how long the look took."""
    prepare(file, dag_id)
    crowd(size)
    over, took = threading.Event(), list[float]()
    over.set()
    alone = list(loops(over, rounds))[1:]
    over.clear()

    def look() -> None:
        began = time.monotonic()
        Watch(JOB, LATE).look()
        took.append(time.monotonic() - began)
        over.set()

    threading.Thread(target=look).start()
    beside = list(loops(over, 1))
    print(json.dumps({"alone": alone, "beside": beside, "look": took[0], "ended": ended()}))


main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
