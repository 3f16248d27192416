"""Nothing is lost and nothing is charged twice when a part of Airflow, or our own history, is not there."""

from __future__ import annotations

from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import TASK, attempts, take_away, wait_for_log

if TYPE_CHECKING:
    from e2e.conftest import StartLab

    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e

SYSTEM_RETRIES = 30
"""Of the Dag ``patient``: more than attempts can fail while a slow machine starts an api-server."""


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> SpotLab:
    """A stack that can do without its api-server for a while, and notices a dead scheduler soon."""
    return start_lab(
        Path(__file__).parents[1] / "contract" / "dags",
        config={
            "scheduler": {
                "task_instance_heartbeat_timeout": 60,  # longer than an outage: or the scheduler gives the task up
                "orphaned_tasks_check_interval": 3,
                "scheduler_health_check_threshold": 40,  # one that stalls for longer gives up its own tasks
            },
            "interruptible": {"system_retry_delay": 0.5},
        },
    )


def ledger_path(run: DagRun) -> str:
    return f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{TASK}/state-store/interruptible"


@pytest.mark.parametrize(("seconds_down", "grace"), [(6, 4), (12, 60)], ids=["beyond the grace", "within the grace"])
def test_an_api_server_that_is_down_at_the_moment_of_the_interruption(
    lab: SpotLab, seconds_down: float, grace: float
) -> None:
    """Beyond the grace nobody can report anything before the machine is gone; within it the worker waits to."""
    run = lab.trigger("patient", conf={"script": {"1": "wait"}})
    lab.wait_until_running(run, TASK, try_number=1)
    wait_for_log(lab, run, TASK, 1, "plays")
    machine = lab.machine(run, TASK)
    lab.stack.stop("api-server")
    comeback = Timer(seconds_down, lab.stack.start, ["api-server"])
    comeback.start()
    machine.reclaim(grace)
    comeback.join()
    assert lab.client.wait_for_run(run).state == "success"
    rows = attempts(lab, run)
    assert (rows[0]["cause"], rows[0]["charge"]) == ("spot_interruption", "system")
    assert {row["charge"] for row in rows[1:-1]} <= {"system"}
    assert rows[-1]["user_retries_left"] == 2
    assert rows[-1]["system_retries_left"] == SYSTEM_RETRIES - (len(rows) - 1)


@pytest.mark.parametrize("rubbish", [None, "rubbish", {"version": 1, "attempts": [1, 2]}])
def test_a_ledger_that_is_gone_or_rubbish(lab: SpotLab, rubbish: object) -> None:
    """The task still runs and ends, and the log says once what is wrong."""
    run = lab.trigger("u2_s3", conf={"script": {"1": "wait", "2": "wait"}})
    take_away(lab, run, 1)
    wait_for_log(lab, run, TASK, 2, "plays")
    if rubbish is None:
        lab.client.request("DELETE", ledger_path(run))
    else:
        lab.client.request("PUT", ledger_path(run), json={"value": rubbish})
    take_away(lab, run, 2)
    assert lab.client.wait_for_run(run).state == "success"
    warnings = lab.client.logs(run, TASK, 2).count("The history cannot be read")
    assert warnings == (0 if rubbish is None else 1)


def test_what_a_dead_scheduler_left_behind_is_forgiven(lab: SpotLab) -> None:
    """A new scheduler resets the orphan; Airflow would charge that to the author without a word."""
    run = lab.trigger("u2_s3", conf={"script": {"1": "wait"}})
    lab.wait_until_running(run, TASK, try_number=1)
    wait_for_log(lab, run, TASK, 1, "plays")
    lab.stack.kill("scheduler", children=True)
    lab.stack.start("scheduler")
    lab.client.wait_for_run(run)
    rows = attempts(lab, run)
    assert rows[-1]["state"] == "success"
    assert (rows[0]["cause"], rows[0]["charge"]) in [("infrastructure", "system"), ("spot_interruption", "system")]
    assert rows[-1]["user_retries_left"] == 2
