# SPDX-License-Identifier: Apache-2.0
"""The module that every Airflow process imports."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_interruptible.policies import adoption, cluster

if TYPE_CHECKING:
    import pytest


def test_airflow_finds_it() -> None:
    (found,) = [entry for entry in entry_points(group="airflow.policy") if entry.name == "interruptible"]
    assert found.load() is cluster


def test_airflow_asks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow import settings

    asked: list[Any] = []
    monkeypatch.setattr(adoption, "apply", asked.append)
    task = EmptyOperator(task_id="t")
    settings.task_policy(task)
    assert asked == [task]


def test_it_watches_every_session_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    from airflow_interruptible.server.install import install, observer

    assert event.contains(Session, "before_flush", observer.before_flush)
    listened: list[Any] = []
    monkeypatch.setattr(event, "listen", lambda *arguments: listened.append(arguments))
    install()
    assert listened == []
