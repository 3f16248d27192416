# SPDX-License-Identifier: Apache-2.0
"""Which executor a task is bound for."""

from __future__ import annotations

import pytest

from airflow_interruptible.executor_names import classes_of, path_of


@pytest.mark.parametrize(
    ("configured", "executor", "path"),
    [
        ("CeleryExecutor", None, "CeleryExecutor"),
        ("CeleryExecutor, LocalExecutor", "LocalExecutor", "LocalExecutor"),
        ("LocalExecutor, cloud:a.b.CloudExecutor", "cloud", "a.b.CloudExecutor"),
        ("cloud:a.b.CloudExecutor", None, "a.b.CloudExecutor"),
        ("LocalExecutor;team_a=CeleryExecutor,cloud:a.b.CloudExecutor", "cloud", "a.b.CloudExecutor"),
    ],
)
def test_a_name_an_alias_or_the_first(
    monkeypatch: pytest.MonkeyPatch, configured: str, executor: str | None, path: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", configured)
    assert path_of(executor) == path


def test_what_an_executor_is_made_of() -> None:
    assert classes_of("CeleryExecutor") == {"CeleryExecutor"}
    assert "BaseExecutor" in (classes_of("airflow.executors.local_executor.LocalExecutor") or ())
    assert classes_of("json.NoSuchExecutor") is None
