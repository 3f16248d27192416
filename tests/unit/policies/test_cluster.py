# SPDX-License-Identifier: Apache-2.0
"""The module that every Airflow process imports."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_interruptible.policies import adoption, cluster


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


@pytest.mark.parametrize(
    ("command", "loads"),
    [
        ("scheduler --num-runs 1", True),
        ("dag-processor", True),
        ("celery worker --queues spot", True),
        ("celery flower", False),
        ("api-server", False),
        ("dags list", False),
        ("", False),
    ],
)
def test_what_attempts_need_is_loaded_where_many_are_forked(
    command: str, loads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(cluster, "import_module", loaded.append)
    cluster.load_ahead(command.split())
    assert bool(loaded) is loads


def test_it_can_be_loaded_while_airflow_is() -> None:
    """In a process of its own: in this one, everything has been loaded."""
    code = (
        "import sys, airflow, airflow.settings; airflow.settings.get_policy_plugin_manager();"
        "print('LOADED', 'airflow_interruptible.worker.attempt' in sys.modules)"
    )
    environment = {**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    done = subprocess.run(
        [sys.executable, "-c", code, "scheduler"], env=environment, capture_output=True, text=True, check=True
    )
    assert "LOADED True" in done.stdout
    assert "Nothing more is loaded ahead" not in done.stdout + done.stderr


def test_what_cannot_be_loaded_ahead_fails_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_AHEAD", ("there_is_no_such_module",))
    cluster.load_ahead(["scheduler"])
