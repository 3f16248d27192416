# SPDX-License-Identifier: Apache-2.0
"""Celery's own control over its in-memory broker: a worker answers, is silent, or nobody could answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.remote.presence import celery

pytest.importorskip("airflow.providers.celery")


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``workers({"w1"}, {"w2"})``: who answers to the first ping, and to the second; returns who was asked."""
    asked: list[list[str]] = []

    def install(*answers: set[str]) -> list[list[str]]:
        def ping(*, destination: list[str], timeout: float) -> list[dict[str, Any]]:
            asked.append(destination)
            return [{name: {"ok": "pong"}} for name in answers[len(asked) - 1] & set(destination)]

        monkeypatch.setattr(celery, "_reachable", lambda: SimpleNamespace(ping=ping))
        return asked

    return install


def test_silent_twice(workers: Any, life: Any) -> None:
    asked = workers({"celery@a"}, {"celery@b"})
    lives = {name: life("CeleryExecutor", celery_worker=f"celery@{name}") for name in "abc"}
    assert [(name, proof.what) for name, proof in celery.gone(lives)] == [("c", "its worker celery@c")]
    assert asked == [["celery@a", "celery@b", "celery@c"], ["celery@b", "celery@c"]]


def test_a_worker_that_answers_is_asked_once(workers: Any, life: Any) -> None:
    asked = workers({"celery@a"})
    assert not list(celery.gone({1: life("CeleryExecutor", celery_worker="celery@a")}))
    assert len(asked) == 1


def test_only_workers_of_celery(workers: Any, life: Any) -> None:
    assert workers() == []
    assert not list(celery.gone({1: life("EdgeExecutor", celery_worker="celery@a"), 2: life("CeleryExecutor")}))


def test_workers_that_must_not_answer(workers: Any, life: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CELERY__WORKER_ENABLE_REMOTE_CONTROL", "False")
    asked = workers(set(), set())
    assert not list(celery.gone({1: life("CeleryExecutor", celery_worker="celery@a")}))
    assert asked == []


def test_the_queues_of_those_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    served = {"celery@a": [{"name": "cheap"}, {"name": "safe"}], "celery@b": [{"name": "cheap"}]}
    inspect = SimpleNamespace(active_queues=lambda: served)
    monkeypatch.setattr(celery, "_reachable", lambda: SimpleNamespace(inspect=lambda timeout: inspect))
    assert celery.queues() == {"celery@a": {"cheap", "safe"}, "celery@b": {"cheap"}}


def test_a_broker_that_is_away_is_no_proof(life: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.celery.executors.celery_executor_utils import app

    monkeypatch.setattr(celery, "SECONDS", 0.1)
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:9/0")
    with pytest.raises(Exception, match=r"(?i)refused|connect"):
        list(celery.gone({1: life("CeleryExecutor", celery_worker="celery@a")}))
