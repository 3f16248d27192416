"""Where the Airflow task itself runs: its queue and its executor, moved between two attempts, shown for every try."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import TASK, attempts, rest_capacities, take_away

if TYPE_CHECKING:
    from e2e.conftest import StartLab

    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> SpotLab:
    """A stack with two executors: one on spot machines that may not be there, one on demand."""
    return start_lab(
        HERE / "dags",
        executor="LocalExecutor,spot_pool:spot_pool.SpotPool",
        env={"PYTHONPATH": str(HERE / "executors_on_spot")},
        config={
            "scheduler": {
                "task_queued_timeout": 30,  # longer than a busy machine keeps a healthy task waiting
                "task_queued_timeout_check_interval": 1,
            },
            "interruptible": {"system_retry_delay": 0.5},
        },
    )


def column(lab: SpotLab, run: DagRun, name: str, task: str = TASK) -> list[str]:
    return [getattr(row, name) for row in lab.client.tries(run, task)]


def test_the_queue_follows_the_capacity(lab: SpotLab) -> None:
    """A reported failure, a killed task process, a lost machine: the next try is on the queue it belongs to."""
    run = lab.trigger("on_queues", conf={"script": {"1": "wait", "2": "error", "3": "error", "4": "error"}})
    take_away(lab, run, 1)
    lab.client.wait_for_run(run)
    assert column(lab, run, "queue") == ["spot-workers", "spot-workers", "spot-workers", "default"]
    assert rest_capacities(lab, run) == ["spot", "spot", "spot", "on-demand"]
    assert [row["capacity"] for row in attempts(lab, run)] == ["spot", "spot", "spot", "on-demand"]


@pytest.mark.parametrize("kill", ["process", "machine"])
def test_a_silent_death_moves_the_task_as_well(lab: SpotLab, kill: str) -> None:
    """Nothing of ours runs in the worker then; the scheduler does it."""
    run = lab.trigger("on_executors", conf={"script": {"1": "error", "2": "error", "3": "wait"}})
    take_away(lab, run, 3, kill)  # type: ignore[arg-type]  # one of the literals
    lab.client.wait_for_run(run)
    rows = attempts(lab, run)
    assert column(lab, run, "executor")[:3] == ["spot_pool", "spot_pool", "LocalExecutor"]
    assert [row["charge"] for row in rows] == ["user", "user", "user", "none"]
    assert "never reported" in str(rows[-1]["reason"])


def test_a_try_that_is_lost_in_the_queue_is_forgiven(lab: SpotLab) -> None:
    """Airflow keeps no history row of it; ours says that it never started."""
    run = lab.trigger("lost")
    assert lab.client.wait_for_run(run).state == "success"
    first, second = attempts(lab, run, "lost_in_queue")
    assert (first["cause"], first["charge"]) == ("infrastructure", "system")
    assert (second["state"], second["user_retries_left"], second["system_retries_left"]) == ("success", 2, 2)


def test_a_try_that_finds_no_spot_machine_goes_on_demand(lab: SpotLab) -> None:
    """The scheduler queues it again instead of failing it, and this time elsewhere; nobody is charged."""
    run = lab.trigger("stuck")
    assert lab.client.wait_for_run(run).state == "success"
    (only,) = attempts(lab, run, "stuck_in_queue")
    assert (only["capacity"], only["charge"]) == ("on-demand", "none")
    assert column(lab, run, "executor", "stuck_in_queue") == ["LocalExecutor"]


def test_a_clear_goes_back_to_where_first_attempts_go(lab: SpotLab) -> None:
    """On whatever the last attempt ran."""
    run = lab.trigger("on_executors", conf={"script": {"1": "error", "2": "error", "3": "error"}})
    lab.client.wait_for_run(run)
    lab.client.clear(run, TASK)
    lab.client.wait_for_run(run)
    assert column(lab, run, "executor") == ["spot_pool", "spot_pool", "LocalExecutor", "spot_pool"]


def test_a_run_can_keep_everything_on_demand(lab: SpotLab) -> None:
    """``dag_run.conf`` moves the very first attempt."""
    run = lab.trigger("on_queues", conf={"interruptible": False})
    lab.client.wait_for_run(run)
    assert column(lab, run, "queue") == ["default"]


def test_a_task_that_is_not_interruptible_stays_on_demand(lab: SpotLab) -> None:
    """Its interruptions are forgiven there."""
    run = lab.trigger("not_interruptible", conf={"script": {"1": "wait"}})
    take_away(lab, run, 1)
    lab.client.wait_for_run(run)
    assert column(lab, run, "queue") == ["default", "default"]
    assert [row["charge"] for row in attempts(lab, run)] == ["system", "none"]
