# SPDX-License-Identifier: Apache-2.0
"""Which rows are late, and what a proof that one of them is over makes of it: Airflow's own sweep does the rest."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from sqlalchemy import select

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import Classification
from airflow_interruptible.ledger import Record
from airflow_interruptible.remote.presence import Proof
from airflow_interruptible.server import lookout, overdue, seam

from .conftest import Deployment, transaction

if TYPE_CHECKING:
    from collections.abc import Callable

LATE = timedelta(seconds=10)

_jobs = itertools.count(7_000)
"""The database is that of other tests as well, so each has a scheduler of its own."""


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture
def at_work(deploy: Callable[..., Deployment]) -> Deployment:
    """An attempt of this scheduler's that was heard of twenty seconds ago."""
    record = Record(
        CapacityType.SPOT, started=now().isoformat(), where={"host": "h", "pid": 42, "instance_id": "i-0abc"}
    )
    deployment = deploy(retries=2).trigger().start_run().run(record=record)
    return deployment._update(-1, queued_by_job_id=next(_jobs), last_heartbeat_at=now() - timedelta(seconds=20))


def silent(deployment: Deployment, but: tuple[Any, ...] = (), job: int | None = None) -> list[overdue.Overdue]:
    return list(overdue.silent(job or deployment.row().queued_by_job_id, LATE, but))


def test_one_that_is_late_is_told_with_its_whereabouts(at_work: Deployment) -> None:
    (one,) = silent(at_work)
    row = at_work.row()
    assert (one.row_id, one.key, one.number) == (row.id, (row.dag_id, "work", "run", -1), 1)
    assert one.life.where == {"host": "h", "pid": "42", "instance_id": "i-0abc"}
    assert one.life.executor == "LocalExecutor"
    assert silent(at_work, but=(row.id,)) == []


@pytest.mark.parametrize(
    "otherwise",
    [
        {"state": "queued"},
        {"state": "deferred"},
        {"last_heartbeat_at": None},
        {"last_heartbeat_at": "just now"},
    ],
    ids=str,
)
def test_others_are_not(at_work: Deployment, otherwise: dict[str, Any]) -> None:
    if otherwise.get("last_heartbeat_at") == "just now":
        otherwise = {"last_heartbeat_at": now()}
    at_work._update(-1, **otherwise)
    assert silent(at_work) == []


def test_those_of_another_scheduler_are_its_own(at_work: Deployment) -> None:
    assert silent(at_work, job=6) == []


@pytest.mark.parametrize("document", [None, "rubbish", {"version": 1, "attempts": [1]}])
def test_one_that_nobody_keeps_books_on_is_left_alone(at_work: Deployment, document: object) -> None:
    at_work.set_ledger(document)
    assert silent(at_work) == []


def test_the_sweep_ends_it_with_the_reason_that_was_found(at_work: Deployment) -> None:
    (one,) = silent(at_work)
    reclaimed = Classification(Cause.SPOT_INTERRUPTION, "ec2/spot-termination", "EC2 reclaimed it")
    lookout._end(one, Proof("its machine i-0abc", reclaimed))
    assert swept(at_work) == [one.row_id]
    at_work.died()
    row = at_work.row()
    assert row.state == "up_for_retry"
    assert "its machine i-0abc was gone 20 s after the last heartbeat: EC2 reclaimed it" in row.retry_reason
    record = at_work.ledger().records[1]
    assert record.cause is Cause.SPOT_INTERRUPTION
    assert record.heard == one.heard.isoformat(timespec="milliseconds"), "not what the row was set to for the sweep"


def test_an_end_without_a_cause_is_presumed_as_ever(at_work: Deployment) -> None:
    (one,) = silent(at_work)
    lookout._end(one, Proof("its process 42 on h"))
    at_work.died()
    assert "its process 42 on h was gone" in at_work.row().retry_reason
    assert "forgiven" in at_work.row().retry_reason


def test_the_last_heartbeat_of_one_that_airflow_ended_itself_is_kept(at_work: Deployment) -> None:
    at_work.died()
    record = at_work.ledger().records[1]
    assert record.heard is not None
    assert record.ended is not None
    silence = datetime.fromisoformat(record.ended) - datetime.fromisoformat(record.heard)
    assert timedelta(seconds=20) <= silence < timedelta(seconds=60)


def test_one_that_was_heard_of_meanwhile_is_spared(at_work: Deployment) -> None:
    (one,) = silent(at_work)
    at_work._update(-1, last_heartbeat_at=now())
    assert not overdue.expire(one)
    assert swept(at_work) == []


def test_one_that_has_ended_meanwhile_is_spared(at_work: Deployment) -> None:
    (one,) = silent(at_work)
    at_work._update(-1, state="success")
    assert not overdue.expire(one)


def swept(deployment: Deployment) -> list[Any]:
    """What Airflow's own sweep for tasks without heartbeats finds."""
    runner = SchedulerJobRunner(Job(), executors=[])
    runner.job.id = deployment.row().queued_by_job_id
    with transaction() as session:
        return [ti.id for ti in runner._find_task_instances_without_heartbeats(session=session)]


def test_the_column_is_the_one_that_airflow_s_sweep_reads(at_work: Deployment) -> None:
    """A canary: should the sweep read something else one day, nothing here would end anything."""
    model = seam.models().task_instance
    with transaction() as session:
        assert session.scalar(select(model.last_heartbeat_at).where(model.id == at_work.row().id)) is not None
    assert swept(at_work) == [], "20 s are no reason for Airflow"
