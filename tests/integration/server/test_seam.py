# SPDX-License-Identifier: Apache-2.0
"""The private names of Airflow's database, on a real one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.timezone import utcnow
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_interruptible.server import seam, state_store


@pytest.fixture
def running(deploy: Any) -> Any:
    return deploy().trigger().start_run().run()


def test_a_state_change_is_seen_before_it_is_written(running: Any) -> None:
    with create_session(scoped=False) as session:
        ti = seam.find(session, (running.dag.dag_id, "work", "run", -1))
        assert seam.state_change(ti) == (None, None)
        ti.state = "running"
        assert seam.state_change(ti) == (None, None), "nothing new"
        ti.state = "up_for_retry"
        assert seam.state_change(ti) == ("running", "up_for_retry")
        ti.state = None
        assert seam.state_change(ti) == ("running", None)
        session.rollback()


def test_a_run_s_state_change_is_seen_too(deploy: Any) -> None:
    from airflow.models.dagrun import DagRun

    deployment = deploy().trigger()
    with create_session(scoped=False) as session:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == deployment.dag.dag_id)).one()
        run.state = "running"
        assert seam.state_change(run) == ("queued", "running")
        session.rollback()


def test_what_is_not_there_is_none(database: None) -> None:
    with create_session(scoped=False) as session:
        assert seam.find(session, ("no", "no", "no", -1)) is None
        assert seam.conf_of(session, "no", "no") == {}
        assert seam.waiting(session, "no", "no") == []


def test_conf_and_waiting(deploy: Any) -> None:
    deployment = deploy().trigger({"a": 1})
    with create_session(scoped=False) as session:
        assert seam.conf_of(session, deployment.dag.dag_id, "run") == {"a": 1}
        assert [ti.task_id for ti in seam.waiting(session, deployment.dag.dag_id, "run")] == ["work"]
    deployment.start_run().run()
    with create_session(scoped=False) as session:
        assert seam.waiting(session, deployment.dag.dag_id, "run") == []


@pytest.mark.parametrize(("days", "lives"), [("30", True), ("0", False)])
def test_values_live_as_long_as_what_workers_write(
    running: Any, monkeypatch: pytest.MonkeyPatch, days: str, lives: bool
) -> None:
    from airflow.models.task_state_store import TaskStateStoreModel

    monkeypatch.setenv("AIRFLOW__STATE_STORE__DEFAULT_RETENTION_DAYS", days)
    with create_session(scoped=False) as session:
        ti = seam.find(session, (running.dag.dag_id, "work", "run", -1))
        assert state_store.read_state(session, ti, "key") is None
        state_store.write_state(session, ti, "key", {"a": [1, None]})
        assert state_store.read_state(session, ti, "key") == {"a": [1, None]}
        stored = session.scalars(select(TaskStateStoreModel).where(TaskStateStoreModel.key == "key")).all()[-1]
        expires: Any = stored.expires_at
        left = expires and expires - utcnow()
    assert (left is not None and timedelta(days=29) < left < timedelta(days=31)) is lives


def test_a_worker_finds_what_the_server_wrote(running: Any) -> None:
    """Both must use one scope and one encoding: this is the route that answers the worker."""
    from airflow.api_fastapi.execution_api.routes import task_state_store as route

    with create_session(scoped=False) as session:
        ti = seam.find(session, (running.dag.dag_id, "work", "run", -1))
        state_store.write_state(session, ti, "shared", {"a": 1})
        session.flush()
        answer = route.get_task_state_store(ti.id, "shared", session)
        assert answer.value == {"a": 1}
        route.set_task_state_store(ti.id, "back", route_body({"b": 2}), session)
        session.flush()
        assert state_store.read_state(session, ti, "back") == {"b": 2}


def route_body(value: Any) -> Any:
    from airflow.api_fastapi.execution_api.datamodels.task_state_store import TaskStateStorePutBody

    return TaskStateStorePutBody(value=value)
