# SPDX-License-Identifier: Apache-2.0
"""Which components a stack has; that they run is what tests/e2e is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.testing.component import Component
from airflow_interruptible.testing.polling import wait_until
from airflow_interruptible.testing.stack import AirflowStack

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_more_schedulers_are_components_of_their_own(tmp_path: Path) -> None:
    """Each has a log of its own, and serves the logs of its tasks on a port of its own."""
    stack = AirflowStack(tmp_path, home=tmp_path, schedulers=3)
    schedulers = [component for name, component in stack.components.items() if name.startswith("scheduler")]
    assert [component.name for component in schedulers] == ["scheduler", "scheduler-2", "scheduler-3"]
    assert {component.command for component in schedulers} == {"scheduler"}
    assert len({component.log for component in schedulers}) == 3
    assert len({component._env["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] for component in schedulers}) == 3


def test_one_scheduler_is_what_there_is_unasked(tmp_path: Path) -> None:
    assert list(AirflowStack(tmp_path, home=tmp_path).components) == ["api-server", "scheduler", "dag-processor"]


def test_what_a_component_said_counts_from_its_last_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log goes on where the one before ended."""
    fake = tmp_path / "airflow"
    fake.mkdir()
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text("import os; print(os.environ['WORD'], flush=True)")
    said = []
    for word in ("first", "second"):
        component = Component(
            "scheduler-2", command="scheduler", env={"PYTHONPATH": str(tmp_path), "WORD": word}, home=tmp_path
        )
        component.start()
        wait_until(lambda c=component: c.alive, lambda alive: not alive, what="its end", timeout=30)  # type: ignore[misc]
        said.append((component.has_said("first"), component.has_said("second")))
    assert said == [(True, False), (False, True)]
