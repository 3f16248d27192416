"""What an attempt saved is there for the next one: after real signals, and after no warning at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import TASK, attempts, take_away, wait_for_log
from waiting import PATIENCE

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e


def started(lab: SpotLab, wait_after: dict[str, int]) -> DagRun:
    run = lab.trigger("checkpointed", conf={"wait_after": wait_after})
    lab.wait_until_running(run, TASK, try_number=1)
    wait_for_log(lab, run, TASK, 1, "waits")
    return run


def states(lab: SpotLab, run: DagRun) -> list[str]:
    """Return the keys in the task state store, as the UI's Storage tab shows them."""
    found = lab.client.request("GET", f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{TASK}/state-store")
    return [state["key"] for state in found["task_state_store"]]


def files(lab: SpotLab, run: DagRun) -> list[Path]:
    folder = Path(lab.stack.home, "interruptible-checkpoints", f"dag_id={run.dag_id}", f"run_id={run.run_id}")
    return [path for path in folder.rglob("*") if path.is_file()]


def test_reclaimed_twice_it_repeats_no_epoch(lab: SpotLab) -> None:
    """Once with a warning, once without; and nothing is left after the success."""
    run = started(lab, {"1": 2, "2": 5})
    assert "interruptible-checkpoint" in states(lab, run)
    assert [path.name for path in files(lab, run)] == ["model"]
    take_away(lab, run, 1, "grace")
    lab.wait_until_running(run, TASK, try_number=2)
    wait_for_log(lab, run, TASK, 2, "waits")
    take_away(lab, run, 2, "machine")
    lab.client.wait_for_run(run)
    wait_for_log(lab, run, TASK, 3, "trained by [1, 1, 2, 2, 2, 3, 3]")
    assert [row["charge"] for row in attempts(lab, run)] == ["system", "system", "none"]
    wait_until(
        lambda: (states(lab, run), files(lab, run)),
        lambda left: left == (["interruptible"], []),
        what="nothing but the history is left",
        timeout=PATIENCE,
    )


def test_a_clear_starts_from_the_beginning(lab: SpotLab) -> None:
    """Whoever clears a task wants it done again, even in the middle of it."""
    run = started(lab, {"1": 2})
    lab.client.clear(run, TASK)
    lab.client.wait_for_run(run)
    wait_for_log(lab, run, TASK, 2, "trained by [2, 2, 2, 2, 2, 2, 2]")
