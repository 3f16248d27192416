# SPDX-License-Identifier: Apache-2.0
"""The spot lab does to plain Airflow what spot machines do to it, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from e2e.contract.play import wait_for_log
from waiting import PATIENCE, UNHURRIED, until

from airflow_interruptible.testing import AirflowStack, LabError, LabTimeoutError, Machine, SpotLab
from airflow_interruptible.testing.configuration import STACK_MARK
from airflow_interruptible.testing.processes import descendants_of, is_gone, own_processes, variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.testing import DagRun
    from tests.e2e.conftest import StartLab

pytestmark = pytest.mark.e2e

DAGS = Path(__file__).parent / "dags_lab"
ADOPTS_NOTHING = {"scheduler": {**UNHURRIED, "scheduler_health_check_threshold": 600}}
"""A scheduler that is started anew leaves to themselves the tasks of the one before."""
LONG = 120


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> SpotLab:
    return start_lab(DAGS, config=ADOPTS_NOTHING)


@pytest.fixture
def at_work(lab: SpotLab) -> Iterator[tuple[DagRun, Machine]]:
    """A run of ``lab_probe`` whose task is in the author's code and would stay there for two minutes."""
    run = start_work(lab, seconds=LONG)
    yield run, lab.machine(run, "work")
    end(lab, run)


def start_work(lab: SpotLab, **conf: float) -> DagRun:
    run = lab.trigger("lab_probe", conf)
    lab.wait_until_running(run, "work")
    wait_for_log(lab, run, "work", 1, "at work")
    return run


def end(lab: SpotLab, run: DagRun) -> None:
    if lab.client.dag_run(run).state not in ("success", "failed"):
        lab.client.fail_run(run)
        lab.client.wait_for_run(run)


def test_a_dag_runs_and_its_log_can_be_read(lab: SpotLab) -> None:
    run = lab.trigger("lab_quick", run_id="named")

    assert run.run_id == "named"
    assert lab.client.wait_for_run(run).state == "success"
    (only,) = lab.client.tries(run, "answer")
    assert (only.try_number, only.max_tries, only.state, only.queue) == (1, 0, "success", "default")
    assert only.start_date is not None
    assert only.end_date is not None
    assert only.start_date <= only.end_date
    assert "Returned value was: 42" in lab.client.logs(run, "answer", 1)


def test_the_machine_is_the_task_process_and_the_scheduler_worker_that_forked_it(
    lab: SpotLab, at_work: tuple[DagRun, Machine]
) -> None:
    _, machine = at_work

    assert machine.task.ppid() == machine.supervisor.pid
    assert machine.supervisor.ppid() == lab.stack.components["scheduler"].pid
    assert {machine.task, machine.supervisor} <= set(lab.stack.processes())


def test_a_killed_task_process_is_seen_by_its_supervisor_and_retried(
    lab: SpotLab, at_work: tuple[DagRun, Machine]
) -> None:
    run, machine = at_work

    killed = machine.kill_task_process()

    again = lab.wait_until_running(run, "work", try_number=2)
    assert not is_gone(machine.supervisor)
    assert again.start_date is not None
    assert again.start_date > killed.first_signal
    assert [each.state for each in lab.client.tries(run, "work")] == ["failed", "running"]


def test_a_machine_lost_without_warning_is_noticed_by_the_missing_heartbeat_alone(
    lab: SpotLab, at_work: tuple[DagRun, Machine]
) -> None:
    run, machine = at_work

    gone = machine.reclaim(grace=0)

    assert gone.killed == {machine.task.pid, machine.supervisor.pid}
    assert not gone.ended_in_time
    assert is_gone(machine.task)
    assert is_gone(machine.supervisor)
    assert lab.client.task_instance(run, "work").state == "running", "Airflow knows nothing yet"
    again = lab.wait_until_running(run, "work", try_number=2)
    assert again.start_date is not None
    waited = (again.start_date - gone.first_signal).total_seconds()
    assert waited > UNHURRIED["task_instance_heartbeat_timeout"] / 2, (
        "since the last heartbeat, which was before the signal"
    )
    assert lab.stack.components["scheduler"].alive, "LocalExecutor outlives its worker"


def test_a_task_that_ends_within_the_grace_is_a_success_for_plain_airflow(lab: SpotLab) -> None:
    run = start_work(lab, seconds=40)
    machine = lab.machine(run, "work")

    gone = machine.reclaim(grace=PATIENCE)

    assert gone.ended_in_time
    assert gone.killed == frozenset()
    assert lab.client.wait_for_run(run).state == "success"
    assert [each.state for each in lab.client.tries(run, "work")] == ["success"]
    assert not is_gone(machine.supervisor), "a LocalExecutor worker that went on to other work is spared"


def test_what_outlasts_the_grace_is_killed_with_all_its_children(lab: SpotLab) -> None:
    run = start_work(lab, seconds=LONG, leave_a_child=True)
    machine = lab.machine(run, "work")
    (child,) = descendants_of(machine.task)

    gone = machine.reclaim(grace=1)

    assert gone.killed == {machine.supervisor.pid, machine.task.pid, child.pid}
    assert is_gone(child), "though it had moved to a session of its own"
    lab.wait_until_running(run, "work", try_number=2)
    end(lab, run)


def test_one_mapped_instance_loses_its_machine_and_the_others_do_not_notice(lab: SpotLab) -> None:
    run = lab.trigger("lab_mapped")
    lab.wait_until_running(run, "each", map_index=1)

    lab.kill_task_process(run, "each", map_index=1)

    lab.wait_until_running(run, "each", map_index=1, try_number=2)
    lab.client.wait_for_state(run, "each", "success", map_index=0)
    assert [each.state for each in lab.client.tries(run, "each", map_index=0)] == ["success"]
    lab.client.mark(run, "each", "success", map_index=1)
    assert lab.client.wait_for_run(run).state == "success"


def test_a_person_can_clear_and_mark(lab: SpotLab) -> None:
    run = lab.trigger("lab_quick")
    lab.client.wait_for_run(run)

    lab.client.clear(run, "answer")
    second = lab.client.wait_for_state(run, "answer", "success", try_number=2)
    lab.client.mark(run, "answer", "failed")

    assert second.max_tries == 1, "a clear adds the tries so far"
    assert lab.client.wait_for_state(run, "answer", "failed").try_number == 2


def test_a_component_can_be_started_anew(lab: SpotLab) -> None:
    before = lab.stack.components["api-server"].pid

    lab.stack.restart("api-server")

    assert lab.stack.components["api-server"].pid != before
    assert lab.client.wait_for_run(lab.trigger("lab_quick")).state == "success"


def test_tasks_carry_on_without_their_scheduler_until_it_comes_back(
    lab: SpotLab, at_work: tuple[DagRun, Machine]
) -> None:
    run, machine = at_work

    lab.stack.kill("scheduler", children=False)
    lab.stack.start("scheduler")

    assert not is_gone(machine.task)
    assert lab.client.task_instance(run, "work").try_number == 1
    assert machine.task in lab.stack.processes(), "an orphan still is the stack's"


def test_machines_that_are_gone_cannot_be_taken(lab: SpotLab) -> None:
    run = lab.trigger("lab_quick")
    lab.client.wait_for_run(run)
    ended = lab.client.task_instance(run, "answer")

    assert ended.pid is not None
    until(lambda: not psutil.pid_exists(ended.pid or 0), PATIENCE)
    with pytest.raises(LabError, match="over already"):
        Machine.under(ended.pid)


def test_a_wait_in_vain_tells_what_it_saw(lab: SpotLab) -> None:
    run = lab.trigger("lab_quick")
    lab.client.wait_for_run(run)

    with pytest.raises(LabTimeoutError, match=r"lab_quick\.answer to be running.*\n.*try 1 of 1 success"):
        lab.wait_until_running(run, "answer", timeout=0.5)


def test_commands_run_on_the_stack_and_not_on_the_users_airflow(lab: SpotLab) -> None:
    assert str(lab.stack.home) in lab.stack.run("config", "get-value", "database", "sql_alchemy_conn")


def test_nothing_is_left_when_the_block_ends() -> None:
    with SpotLab(DAGS, config=ADOPTS_NOTHING) as own:
        run = start_work(own, seconds=LONG, leave_a_child=True)
        machine = own.machine(run, "work")
        processes = {*own.stack.processes(), *descendants_of(machine.task)}
        own.stack.kill("scheduler", children=False)
        assert not is_gone(machine.task), "an orphan now"

    assert len(processes) > 10
    assert [process for process in processes if not is_gone(process)] == []
    assert [each for each in own_processes() if variable_of(each, STACK_MARK) == own.stack.settings.mark] == []
    assert not own.stack.home.exists()


def test_a_component_that_dies_while_starting_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    stack = AirflowStack(DAGS, home=tmp_path, executor="NoSuchExecutor")

    with pytest.raises(LabError, match=r"scheduler ended with exit code 1[\s\S]*NoSuchExecutor"):
        stack.up()

    assert not any(component.alive for component in stack.components.values())
    assert psutil.pid_exists(stack.components["api-server"].pid or 0) is False
