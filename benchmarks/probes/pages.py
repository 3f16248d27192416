# SPDX-License-Identifier: Apache-2.0
"""Fills a metadata database with finished runs of ``dags_pages``, as if they had happened in the last week.

Two of three task instances were interrupted once: 3 task instances are 5 attempts.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.models.dag_version import DagVersion
from airflow.models.dagrun import DagRun
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import insert, select
from sqlalchemy import text as sql
from uuid6 import uuid7

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.ledger import KEY, Ledger, Record
from airflow_interruptible.marker import Marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAGS, TASKS = 20, 10
_RANGE = timedelta(days=6.9)
_ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
_TYPES = ("m5.large", "m5.xlarge", "c5.2xlarge", "r5.large")
_REASON = "the machine was to be taken away: EC2 spot instance-action terminate; forgiven, 1 of 3 system retries used"
_MARKER = Marker(True, Budget(2, 3), CapacityType.SPOT, timedelta(seconds=10))
_BATCH = 5000


def fill(attempts: int) -> dict[str, int]:
    """Write as many attempts, and return how many rows that were."""
    runs = attempts * 3 // 5 // (DAGS * TASKS)
    with create_session(scoped=False) as session:
        found = session.execute(select(DagVersion.dag_id, DagVersion.id))
        versions = {dag_id: version for dag_id, version in found if dag_id.startswith("pages_")}
    numbers = _insert(DagRun, _runs(runs, versions), returning=True)
    tries = [_task(number, run, versions, numbers) for run in range(runs) for number in range(DAGS * TASKS)]
    _insert(TaskInstance, (ti for ti, _, _ in tries))
    _insert(TaskInstanceHistory, (past for _, past, _ in tries if past))
    _insert(TaskStateStoreModel, (stored for _, _, stored in tries))
    with create_session(scoped=False) as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(sql("ANALYZE"))
    return {"runs": len(numbers), "task instances": len(tries), "attempts": sum(1 + bool(past) for _, past, _ in tries)}


def _insert(model: type[Any], rows: Iterable[dict[str, Any]], *, returning: bool = False) -> dict[tuple[str, str], int]:
    table, source = model.__table__, iter(rows)
    numbers: dict[tuple[str, str], int] = {}
    with create_session(scoped=False) as session:
        while batch := list(islice(source, _BATCH)):
            session.execute(insert(table), batch)
        if returning:
            found = session.execute(select(table.c.dag_id, table.c.run_id, table.c.id))
            numbers = {(dag_id, run_id): number for dag_id, run_id, number in found}
    return numbers


def _start(run: int, runs: int) -> datetime:
    return datetime.now(timezone.utc) - _RANGE + _RANGE * run / runs


def _runs(runs: int, versions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for run in range(runs):
        start = _start(run, runs)
        for dag_id, version in versions.items():
            yield {
                "dag_id": dag_id,
                "run_id": f"run-{run:05}",
                "state": "success",
                "run_type": DagRunType.MANUAL,
                "triggered_by": DagRunTriggeredByType.TEST,
                "conf": {},
                "run_after": start,
                "queued_at": start,
                "start_date": start,
                "end_date": start + timedelta(minutes=30),
                "created_dag_version_id": version,
            }


def _task(number: int, run: int, versions: dict[str, Any], numbers: dict[tuple[str, str], int]) -> Any:
    dag_id, task_id, run_id = f"pages_{number % DAGS:02}", f"task_{number // DAGS}", f"run-{run:05}"
    start = _start(run, len(numbers) // DAGS) + timedelta(seconds=number)
    seed = run * DAGS * TASKS + number
    twice = seed % 3 != 0
    moments = [start, start + timedelta(minutes=5), start + timedelta(minutes=20)]
    key = {"dag_id": dag_id, "task_id": task_id, "run_id": run_id, "map_index": -1}
    ti = {**key, "id": uuid7(), **_try(moments[twice], moments[twice + 1], "success", 1 + twice)}
    ti |= {"dag_version_id": versions[dag_id], "task_display_name": task_id}
    where = {"host": f"ip-10-0-{seed % 200}-{run % 250}.eu-west-1.compute.internal", "pid": seed, "queue": "default"}
    where |= {"zone": _ZONES[seed // 3 % 3], "instance_type": _TYPES[seed % 4], "instance_id": f"i-{seed:017x}"}
    last = Record(CapacityType.SPOT, started=moments[twice].isoformat(), where=where)
    first = Record(
        CapacityType.SPOT,
        (Cause.SPOT_INTERRUPTION, Cause.INFRASTRUCTURE, Cause.NO_CAPACITY)[seed % 7 % 3],
        Charge.SYSTEM,
        moments[0].isoformat(),
        moments[1].isoformat(),
        _REASON,
        where,
        "ec2-instance-action",
    )
    ledger = Ledger(5, (0,), {1: first, 2: last} if twice else {1: last})
    stored = {**key, "dag_run_id": numbers[dag_id, run_id], "key": KEY, "value": json.dumps(ledger.to_json())}
    stored["updated_at"] = moments[twice]
    past = {**ti, **_try(moments[0], moments[1], "failed", 1), "task_instance_id": uuid7()} if twice else None
    if past:
        past.pop("id")
    return ti, past, stored


def _try(start: datetime, end: datetime, state: str, number: int) -> dict[str, Any]:
    return {
        "start_date": start,
        "end_date": end,
        "duration": (end - start).total_seconds(),
        "state": state,
        "try_number": number,
        "max_tries": 5,
        "pool": "default_pool",
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "operator": "PythonOperator",
        "custom_operator_name": "@task",
        "hostname": "worker",
        "executor_config": _MARKER.to_config({}),
    }


if __name__ == "__main__":
    print(json.dumps(fill(int(sys.argv[1]))))
