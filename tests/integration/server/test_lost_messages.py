# SPDX-License-Identifier: Apache-2.0
"""Tries that are queued and whose Celery worker died before they ran: who had them, by Celery's own result backend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.celery")
from airflow.providers.celery.executors import celery_executor_utils as provider

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.remote.presence import celery
from airflow_interruptible.server import lost_messages, never_started
from airflow_interruptible.server.lost_messages import Watch

from .test_never_started import LATE, stuck, waiting  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from .conftest import Deployment

MESSAGE = "0123-4567"
WORKER = "celery@here"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The workers that answer a ping."""
    there = set[str]()

    def ping(*, destination: list[str], timeout: float) -> list[dict[str, Any]]:
        return [{name: {"ok": "pong"}} for name in there & set(destination)]

    monkeypatch.setattr(celery, "_reachable", lambda: SimpleNamespace(ping=ping))
    return there


@pytest.fixture
def sent(waiting: Deployment, answering: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Deployment:  # noqa: F811
    """A try of CeleryExecutor that is queued for twenty seconds, and a result backend that has not heard of it."""
    from celery import Celery

    monkeypatch.setattr(provider, "app", Celery("t", backend=f"db+sqlite:///{tmp_path / 'results'}"))
    return waiting._update(-1, executor="CeleryExecutor", external_executor_id=MESSAGE)


@pytest.fixture
def watch(sent: Deployment) -> Watch:
    return Watch(sent.row().queued_by_job_id, LATE)


def begun(state: str = "STARTED") -> None:
    """Write down what a worker writes when it has begun with a message."""
    provider.app.backend.store_result(MESSAGE, {"pid": 7, "hostname": WORKER}, state)


def test_one_whose_worker_has_begun_with_it_and_is_gone(sent: Deployment, watch: Watch) -> None:
    begun()
    watch.look()
    assert stuck(sent) == [sent.row().id]
    sent.stuck()
    assert sent.marker().capacity is CapacityType.SPOT, "this tells nothing of spot capacity"


def test_one_whose_worker_answers(sent: Deployment, watch: Watch, answering: set[str]) -> None:
    begun()
    answering.add(WORKER)
    watch.look()
    assert stuck(sent) == []


@pytest.mark.parametrize("state", [None, "SUCCESS", "PENDING"])
def test_one_with_which_nobody_has_begun_or_somebody_has_ended(sent: Deployment, watch: Watch, state: str) -> None:
    if state:
        begun(state)
    watch.look()
    assert stuck(sent) == []


@pytest.mark.parametrize("otherwise", [{"executor": "LocalExecutor"}, {"external_executor_id": None}], ids=str)
def test_others_are_not_asked_for(sent: Deployment, watch: Watch, otherwise: dict[str, Any]) -> None:
    begun()
    sent._update(-1, **otherwise)
    watch.look()
    assert stuck(sent) == []


def test_a_backend_that_only_processes_could_ask_is_left_alone(sent: Deployment, monkeypatch: Any) -> None:
    monkeypatch.setattr(provider, "app", SimpleNamespace(backend=SimpleNamespace()))
    assert list(celery.takers([MESSAGE])) == []


def test_only_where_there_is_such_an_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_messages, "wanted", lambda executor: executor == "CeleryExecutor")
    assert lost_messages._begin(1) is not None
    monkeypatch.setattr(lost_messages, "wanted", lambda _: False)
    assert lost_messages._begin(1) is None


def test_it_is_helped_once(sent: Deployment, watch: Watch) -> None:
    begun()
    watch.look()
    assert len(never_started.helped) == 1
    (one,) = never_started.queued(watch.job_id, LATE)
    never_started.help_once(one, "its worker")
    assert len(never_started.helped) == 1
