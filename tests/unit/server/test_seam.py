# SPDX-License-Identifier: Apache-2.0
"""Whether this Airflow is one that we know."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import airflow
import pytest

from airflow_interruptible.server import seam, state_store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _fresh_models() -> Iterator[None]:
    seam.models.cache_clear()
    yield
    seam.models.cache_clear()


def test_this_airflow_is_one_that_we_know() -> None:
    found = seam.models()
    assert found.task_instance.__name__ == "TaskInstance"
    assert found.history.__name__ == ("TaskInstance" if found.tries_are_rows else "TaskInstanceHistory")
    assert seam.models() is found


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ("_TRY_COLUMNS", "TaskInstance has no zodiac"),
        ("_RUN_COLUMNS", "DagRun has no zodiac"),
        ("_LOG_COLUMNS", "Log has no zodiac"),
    ],
)
def test_a_missing_column_is_named(monkeypatch: pytest.MonkeyPatch, columns: str, complaint: str) -> None:
    monkeypatch.setattr(seam, columns, {*getattr(seam, columns), "zodiac"})
    with pytest.raises(seam.SeamChangedError, match=complaint):
        seam.models()


def test_the_task_state_store_is_one_that_we_know(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_store.stored_states().__name__ == "TaskStateStoreModel"
    monkeypatch.setattr(state_store, "_COLUMNS", {"value", "zodiac"})
    with pytest.raises(seam.SeamChangedError, match="TaskStateStoreModel has no zodiac"):
        state_store.stored_states()


def test_the_states_that_nothing_follows_are_airflows() -> None:
    from airflow.utils.state import DagRunState, State

    assert {str(state.value) for state in State.finished if state is not None} == seam.FINISHED
    assert {state.value for state in State.unfinished_dr_states} == seam.UNFINISHED_RUN
    assert {state.value for state in DagRunState} > seam.UNFINISHED_RUN


@pytest.mark.parametrize("name", ["log", "dagrun", "taskinstancehistory"])
def test_a_model_that_has_moved_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "taskinstancehistory" and seam.models().tries_are_rows:
        pytest.skip("this Airflow has none")
    seam.models.cache_clear()
    monkeypatch.setitem(sys.modules, f"airflow.models.{name}", None)
    with pytest.raises(seam.SeamChangedError, match=rf"has moved: .*{name}"):
        seam.models()


def test_the_event_is_spelled_as_the_scheduler_spells_it() -> None:
    """The scheduler is too heavy to import for one word, so its source is read here."""
    source = (Path(airflow.__file__).parent / "jobs" / "scheduler_job_runner.py").read_text()
    words = {
        target.id: node.value.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert words["TASK_STUCK_IN_QUEUED_RESCHEDULE_EVENT"] == seam.STUCK_IN_QUEUED


def test_a_row_tells_its_key() -> None:
    row = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=3)
    assert seam.key_of(row) == ("d", "t", "r", 3)
