"""A scheduler and an API server that do not watch their sessions: what holds, and executors that place instead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import TASK, attempts, rest_capacities, take_away

if TYPE_CHECKING:
    from e2e.conftest import StartLab

    from airflow_interruptible.testing import SpotLab

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
PLACING = "placing:airflow_interruptible.executors.local.InterruptibleLocalExecutor"
SCRIPT = {"1": "error", "2": "error", "3": "wait"}


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> SpotLab:
    """A stack in which only the executor called ``placing`` places."""
    return start_lab(
        HERE / "dags",
        executor=f"LocalExecutor,{PLACING},spot_pool:spot_pool.SpotPool",
        env={"PYTHONPATH": str(HERE / "executors_on_spot")},
        config={"interruptible": {"system_retry_delay": 0.5, "session_events": False}},
    )


def test_a_placing_executor_places(lab: SpotLab) -> None:
    """Through Airflow's public ``queue_workload``, at the moment the task is queued."""
    run = lab.trigger("with_placing_executor", conf={"script": SCRIPT})
    take_away(lab, run, 3)
    assert lab.client.wait_for_run(run).state == "success"
    queues = [row.queue for row in lab.client.tries(run, TASK)]
    assert queues == ["spot-workers", "spot-workers", "default", "default"]
    assert rest_capacities(lab, run) == ["spot", "spot", "on-demand", "on-demand"]
    assert [row["charge"] for row in attempts(lab, run)] == ["user", "user", "system", "none"]


def test_without_us_attempts_stay_and_both_budgets_hold(lab: SpotLab) -> None:
    """Airflow's own behaviour, and one warning in the log of the attempt that is not where it belongs."""
    run = lab.trigger("on_queues", conf={"script": SCRIPT})
    take_away(lab, run, 3)
    assert lab.client.wait_for_run(run).state == "success"
    assert {row.queue for row in lab.client.tries(run, TASK)} == {"spot-workers"}
    assert [row["charge"] for row in attempts(lab, run)] == ["user", "user", "system", "none"]
    assert lab.client.logs(run, TASK, 3).count("is not where it belongs") == 1
