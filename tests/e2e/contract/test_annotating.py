"""Every shape of task that Airflow knows can be interruptible, adopted or annotated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from e2e.contract.play import GRACE, attempts, rest_capacities, wait_for_log
from waiting import PATIENCE

if TYPE_CHECKING:
    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stock(lab: SpotLab) -> DagRun:
    """A run of the Dag of stock operators, two of which lose their machine."""
    run = lab.trigger("stock")
    for task, index in (("bash", -1), ("mapped_bash", 1)):
        lab.wait_until_running(run, task, map_index=index, try_number=1)
        lab.machine(run, task, index).reclaim(GRACE)
    return lab.client.wait_for_run(run)


def test_adopted_stock_operators_survive_a_reclaim(lab: SpotLab, stock: DagRun) -> None:
    """Plain and mapped, each with its own budgets."""
    assert stock.state == "success"
    assert [row["charge"] for row in attempts(lab, stock, "bash")] == ["system", "none"]
    assert [row["charge"] for row in attempts(lab, stock, "mapped_bash", 0)] == ["none"]
    assert [row["charge"] for row in attempts(lab, stock, "mapped_bash", 1)] == ["system", "none"]


def test_the_command_prints_what_the_lab_reads(lab: SpotLab, stock: DagRun) -> None:
    """The other tests read it without a start of Airflow each."""
    command = ("interruptible", "attempts", stock.dag_id, stock.run_id, "bash", "--output", "json")
    assert json.loads(lab.stack.run(*command)) == lab.attempts(stock, "bash")


@pytest.mark.parametrize("task", ["sensor", "rescheduled_sensor", "deferred", "acquire", "after"])
def test_every_shape_runs(lab: SpotLab, stock: DagRun, task: str) -> None:
    """Sensors in both modes, a deferrable operator, a setup, a task with a trigger rule: all on spot, all counted."""
    rows = attempts(lab, stock, task)
    assert rows[-1]["state"] == "success"
    assert rest_capacities(lab, stock, task) == ["spot"]


def test_the_operator_keeps_its_name(lab: SpotLab, stock: DagRun) -> None:
    """Whatever looks at operator names sees what it knows."""
    assert lab.client.task_instance(stock, "bash").operator == "BashOperator"


@pytest.mark.parametrize("task", ["on_demand.bash", "release"])
def test_a_group_and_a_teardown_are_not_interruptible(lab: SpotLab, stock: DagRun, task: str) -> None:
    """The TaskGroup overrules the Dag, and its tasks are adopted all the same; a teardown inherits nothing."""
    assert rest_capacities(lab, stock, task) == ["on-demand"]


def test_each_mapped_index_has_its_own_budgets(lab: SpotLab) -> None:
    """Index 0 is interrupted, index 1 fails twice, index 2 does neither."""
    run = lab.trigger("mapped", conf={"scripts": [{"1": "wait"}, {"1": "error", "2": "error"}, {}]})
    wait_for = lab.wait_until_running(run, "work", map_index=0, try_number=1)
    assert wait_for.try_number == 1
    lab.reclaim(run, "work", grace=GRACE, map_index=0)
    assert lab.client.wait_for_run(run).state == "success"
    left = [
        (rows[-1]["user_retries_left"], rows[-1]["system_retries_left"])
        for rows in (attempts(lab, run, "work", index) for index in range(3))
    ]
    assert left == [(2, 2), (0, 3), (2, 3)]
    assert rest_capacities(lab, run, "work", 1) == ["spot", "spot", "on-demand"]


def test_the_authors_delay_does_not_delay_a_forgiven_attempt(lab: SpotLab) -> None:
    """``retry_delay`` is half an hour; a killed process and a reclaimed machine are retried at once all the same."""
    run = lab.trigger("slow_delay", conf={"script": {"1": "wait", "2": "wait"}})
    for number in (1, 2):
        lab.wait_until_running(run, "work", try_number=number)
        wait_for_log(lab, run, "work", number, "plays")
        if number == 1:
            lab.kill_task_process(run, "work")
        else:
            lab.reclaim(run, "work", grace=PATIENCE)
    assert lab.client.wait_for_run(run).state == "success"
