"""Machines that die without a word are looked for; what only seems to be dead is left alone.

Airflow's own time-out is longer than tests are patient here, so it ends nothing.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import TASK, attempts, wait_for_log
from waiting import PATIENCE

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.conftest import StartLab

    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> SpotLab:
    """A stack whose workers and whose scheduler bear an api-server that is away."""
    return start_lab(
        Path(__file__).parents[1] / "contract" / "dags",
        config={
            "scheduler": {
                "task_instance_heartbeat_timeout": 4 * int(PATIENCE),
                "task_instance_heartbeat_timeout_detection_interval": 1,
            },
            "workers": {"max_failed_heartbeats": 1000},
            "interruptible": {"late_heartbeat": 4, "system_retry_delay": 0.5},
        },
    )


def begin(lab: SpotLab) -> DagRun:
    run = lab.trigger("u2_s3", conf={"script": {"1": "wait"}})
    lab.wait_until_running(run, TASK, try_number=1)
    wait_for_log(lab, run, TASK, 1, "plays")
    return run


def found_gone(lab: SpotLab, run: DagRun) -> bool:
    """Whether the scheduler has looked for the attempts that are late, and found that this one is over."""
    lines = (lab.stack.home / "scheduler.log").read_text().splitlines()
    return any("is over" in line and run.run_id in line for line in lines)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes that are slow, as slow as can be, and alive."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_machine_that_died_without_a_word_is_noticed_where_it_ran(lab: SpotLab) -> None:
    run = begin(lab)
    pid = lab.machine(run, TASK).task.pid
    lab.reclaim(run, TASK, grace=0)
    assert lab.client.wait_for_run(run).state == "success"
    lost, done = attempts(lab, run)
    assert (lost["cause"], lost["charge"]) == ("spot_interruption", "system")
    assert f"its process {pid} on" in lost["reason"]
    assert "after the last heartbeat" in lost["reason"]
    assert (done["user_retries_left"], done["system_retries_left"]) == (2, 2)


def test_a_machine_that_is_slow_is_left_alone(lab: SpotLab) -> None:
    """It is late before the other one is killed, and is still late when that one is found."""
    slow, dead = begin(lab), begin(lab)
    machine = lab.machine(slow, TASK)
    with stopped(machine.supervisor.pid, machine.task.pid):
        lab.reclaim(dead, TASK, grace=0)
        lab.client.wait_for_try(dead, TASK, 2)
    assert [each.state for each in lab.client.tries(slow, TASK)] == ["running"]
    assert lab.client.wait_for_run(dead).state == "success"
    lab.reclaim(slow, TASK, grace=30)
    assert lab.client.wait_for_run(slow).state == "success"
    assert len(attempts(lab, slow)) == 2, "it went on"


def test_an_api_server_that_is_away_kills_nothing_that_lives(lab: SpotLab) -> None:
    """All heartbeats are late; only the attempt whose machine is gone meanwhile is ended."""
    alive, dead = begin(lab), begin(lab)
    machine = lab.machine(dead, TASK)
    with stopped(lab.stack.components["api-server"].pid):
        machine.reclaim(0)
        wait_until(lambda: found_gone(lab, dead), bool, what="the dead one to be found", timeout=PATIENCE)
        assert not found_gone(lab, alive)
    assert lab.client.wait_for_run(dead).state == "success"
    assert [each.state for each in lab.client.tries(alive, TASK)] == ["running"]
    lab.reclaim(alive, TASK, grace=30)
    assert lab.client.wait_for_run(alive).state == "success"
    assert [row["charge"] for row in attempts(lab, alive)] == ["system", "none"]
