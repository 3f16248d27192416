# SPDX-License-Identifier: Apache-2.0
"""What this process is told: executors that can and cannot be imported, and what somebody wrote."""

from __future__ import annotations

from configparser import ConfigParser
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowConfigException
from airflow.executors.executor_loader import ExecutorLoader
from airflow.executors.executor_utils import ExecutorName

from airflow_interruptible.doctor import deployment
from airflow_interruptible.doctor.deployment import here

if TYPE_CHECKING:
    import pytest


def test_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = "airflow_interruptible.executors.local.InterruptibleLocalExecutor"
    named = [
        ExecutorName("airflow.executors.local_executor.LocalExecutor", "LocalExecutor"),
        ExecutorName(ours, "mine"),
        ExecutorName("no.such.Executor"),
    ]
    monkeypatch.setattr(ExecutorLoader, "get_executor_names", lambda **_: named)
    local, mine, missing = here().executors
    assert (local.name, "LocalExecutor" in local.bases, local.ours, local.error) == ("LocalExecutor", True, False, "")
    assert (mine.name, "LocalExecutor" in mine.bases, mine.ours) == ("mine", True, True)
    assert (missing.name, missing.bases) == ("Executor", frozenset())
    assert "No module named" in missing.error


def test_executors_that_cannot_be_meant_are_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise AirflowConfigException("twice the same")

    monkeypatch.setattr(ExecutorLoader, "get_executor_names", refuse)
    (only,) = here().executors
    assert (only.name, only.error) == ("LocalExecutor", "twice the same")


def test_what_somebody_wrote() -> None:
    conf = ConfigParser()
    conf.read_string("[interruptible]\ncompute = queue\n[core]\nfernet_key_cmd = pass\n")
    environ = {"AIRFLOW__INTERUPTIBLE__LAUNCHED": "{}", "AIRFLOW_HOME": "/", "AIRFLOW__CORE__A_SECRET": "x"}
    assert deployment._written(conf, environ) == {
        "interruptible": {"compute"},
        "core": {"fernet_key", "a"},
        "interuptible": {"launched"},
    }
