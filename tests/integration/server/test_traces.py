# SPDX-License-Identifier: Apache-2.0
"""The traces of servers and workers in a real metadata database, and what the doctor makes of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from airflow.jobs.job import Job, perform_heartbeat
from airflow.models.log import Log
from sqlalchemy import delete, update

from airflow_interruptible import __version__
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.doctor import components, state_store, workers
from airflow_interruptible.doctor.deployment import Deployment, here
from airflow_interruptible.doctor.examination import examine
from airflow_interruptible.ledger import Record
from airflow_interruptible.server import traces as module
from airflow_interruptible.server.begun import begun
from airflow_interruptible.server.traces import API_SERVER, EVENT, Traces

from .conftest import transaction
from .test_overdue import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("SchedulerJob", "DagProcessorJob", "TriggererJob")


@pytest.fixture
def fresh(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    """A process that has left no trace yet, in a database without servers."""

    def empty() -> None:
        with transaction() as session:
            session.execute(delete(Log).where(Log.event == EVENT))
            session.execute(update(Job).values(state="success"))

    empty()
    monkeypatch.delitem(sys.modules, module._API_SERVER_MODULE, raising=False)
    mine = Traces()
    monkeypatch.setattr("airflow_interruptible.server.events.traces", mine)
    monkeypatch.setattr("airflow_interruptible.server.events.spot_timeout.beat", lambda _: None)
    monkeypatch.setattr("airflow_interruptible.server.events.lookout.beat", lambda _: None)
    monkeypatch.setattr("airflow_interruptible.server.events.never_started.beat", lambda _: None)
    yield mine
    empty()


def started(kind: str) -> Job:
    job = Job(job_type=kind, heartrate=0)
    with transaction() as session:
        job.prepare_for_execution(session=session)
    return job


def beat(job: Job) -> None:
    perform_heartbeat(job, lambda session: None, only_if_necessary=False)


def left() -> list[tuple[str, int | None, str]]:
    with transaction() as session:
        return [(each.component, each.job, each.version) for each in reversed(module.found(session))]


@pytest.mark.usefixtures("fresh")
def test_every_server_leaves_one_with_its_first_heartbeat() -> None:
    jobs = [started(kind) for kind in KINDS]
    for job in (*jobs, *jobs):
        beat(job)
    assert left() == [(kind, job.id, __version__) for kind, job in zip(KINDS, jobs, strict=True)]


def test_and_again_when_the_last_may_have_been_cleaned_away(fresh: Traces) -> None:
    job = started("SchedulerJob")
    beat(job)
    fresh._left = {key: at - module.AGAIN for key, at in fresh._left.items()}
    beat(job)
    assert len(left()) == 2


def test_what_is_rolled_back_is_left_again(fresh: Traces) -> None:
    with transaction() as session:
        fresh.leave(session, [replace_job()])
        session.rollback()
    assert left() == []
    with transaction() as session:
        fresh.leave(session, [replace_job()])
    assert len(left()) == 1


def replace_job() -> Any:
    job = Job(job_type="SchedulerJob")
    job.id = 4711
    return job


@pytest.mark.usefixtures("fresh")
def test_an_api_server_leaves_one_when_it_lets_a_task_begin(
    deploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(retries=2).trigger().start_run()
    assert left() == [], "this process is none yet"
    monkeypatch.setitem(sys.modules, module._API_SERVER_MODULE, ModuleType("main"))
    with transaction() as session:
        session.add(Log(event="running"))
    assert left() == [(API_SERVER, None, __version__)]


@pytest.mark.usefixtures("fresh")
def test_the_one_that_is_missing_is_named() -> None:
    known, unknown = started("SchedulerJob"), started("SchedulerJob")
    with transaction() as session:
        session.execute(update(Job).where(Job.id == unknown.id).values(start_date=now() - module.AGAIN))
    beat(known)
    found = [each for each in components.check(here()) if each.id == "components/scheduler"]
    assert [each.value for each in found] == [f"no trace of scheduler on {unknown.hostname} (job {unknown.id})"]


def test_the_module_of_the_api_server_is_still_that() -> None:
    """A canary: ``airflow api-server`` names it as what uvicorn and gunicorn are to serve."""
    import inspect

    from airflow.cli.commands import api_server_command

    assert f'"{module._API_SERVER_MODULE}:app"' in inspect.getsource(api_server_command)


# -- workers


@pytest.fixture
def ran(deploy: Callable[..., Any]) -> Callable[..., Any]:
    """``ran(record, host="w1")``: an attempt that a worker began two minutes ago."""

    def run(record: Record | None, host: str) -> Any:
        deployment = deploy(retries=2).trigger().start_run().run(record=record)
        long_ago = now() - timedelta(minutes=2)
        return deployment._update(-1, hostname=host, start_date=long_ago, last_heartbeat_at=now())

    return run


def hosts() -> dict[str, str | None]:
    with transaction() as session:
        return {each.host: each.version for each in begun(session)}


def test_workers_are_known_by_what_they_wrote(ran: Callable[..., Any]) -> None:
    record = Record(CapacityType.SPOT, started=now().isoformat())
    ran(replace(record, version="0.2.0"), "traced-1")
    ran(record, "traced-2")
    ran(None, "traced-3")
    found = hosts()
    assert (found["traced-1"], found["traced-2"], found["traced-3"]) == ("0.2.0", "", None)
    told = {each.value for each in workers.check(here()) if each.id == "workers/absent"}
    assert "no trace of worker traced-3, queue cheap" in told
    assert not any("traced-1" in each for each in told)


# -- the whole


def test_a_deployment_with_a_database_is_looked_at_without_a_traceback(database: None, configure: Any) -> None:
    configure(late_heartbeat="0")
    found = examine(here())
    assert "time-outs/late-heartbeat-off" in {each.id for each in found}
    assert [each for each in found if each.id == "doctor/not-looked-at"] == []
    assert [each for each in found if each.id.startswith("state-store/")] == []


def test_a_database_that_does_not_answer_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow import settings
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    monkeypatch.setattr(settings, "NonScopedSession", sessionmaker(create_engine("sqlite://")))
    (found,) = state_store.check(Deployment(lambda *_: None))
    assert (found.id, found.severity.value) == ("state-store/unreachable", "error")
