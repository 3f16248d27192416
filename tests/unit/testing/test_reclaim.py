# SPDX-License-Identifier: Apache-2.0
"""The machine reclaimer on little process trees of the same shape as Airflow's, which start in milliseconds."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil
import pytest

from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.polling import wait_until
from airflow_interruptible.testing.processes import descendants_of, is_gone, kill_all, own_processes, variable_of
from airflow_interruptible.testing.reclaim import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    StartSupervisor = Callable[..., psutil.Process]

LONG = "import time; time.sleep(600)"
OBEDIENT = "import time, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep(600)"
DEAF = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
PARENT = (
    f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {LONG!r}], start_new_session=True); "
    "time.sleep(600)"
)

BREEDER = (
    "import subprocess, time\nfor _ in range(500):\n"
    "    subprocess.Popen(['sleep', '600'], start_new_session=True); time.sleep(0.001)"
)

SUPERVISOR = """
import signal, subprocess, sys, time
from setproctitle import setproctitle

setproctitle("workload 1")
task = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
signal.signal(signal.SIGTERM, lambda *_: task.terminate())
task.wait()
if sys.argv[2] == "goes on to other work":
    setproctitle("workload 2")
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    time.sleep(600)
if sys.argv[2] == "reports for ever":
    time.sleep(600)
"""


@pytest.fixture
def supervise() -> Iterator[StartSupervisor]:
    """``supervise(task_code, what_it_does_afterwards)``: the task process of a new supervisor."""
    supervisors: list[subprocess.Popen[bytes]] = []

    def start(code: str, afterwards: str = "ends", *, children: int = 0) -> psutil.Process:
        supervisors.append(subprocess.Popen([sys.executable, "-c", SUPERVISOR, code, afterwards]))
        supervisor = psutil.Process(supervisors[-1].pid)
        family = wait_until(
            lambda: descendants_of(supervisor),
            lambda family: len(family) >= 1 + children,
            what="the task process",
            timeout=10,
            interval=0.01,
        )
        (task,) = [each for each in family if each.ppid() == supervisor.pid]
        if code in (OBEDIENT, DEAF):
            wait_until(lambda: handles_sigterm(task), bool, what="its signal handler", timeout=10, interval=0.01)
        return task

    yield start
    for supervisor in supervisors:
        with contextlib.suppress(psutil.NoSuchProcess):
            left = psutil.Process(supervisor.pid)
            kill_all([left, *descendants_of(left)])
        supervisor.wait()


def handles_sigterm(process: psutil.Process) -> bool:
    """Whether it catches or ignores the signal yet, as /proc tells."""
    with Path(f"/proc/{process.pid}/status").open() as status:
        masks = dict(line.rstrip("\n").split(":\t", 1) for line in status)
    return bool((int(masks["SigCgt"], 16) | int(masks["SigIgn"], 16)) & (1 << 14))


needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def test_no_warning_kills_supervisor_task_and_what_left_their_session(supervise: StartSupervisor) -> None:
    task = supervise(PARENT, children=1)
    machine = Machine.under(task.pid)
    (child,) = descendants_of(task)

    gone = machine.reclaim(grace=0)

    assert gone.killed == {machine.supervisor.pid, task.pid, child.pid}
    assert not gone.ended_in_time
    assert all(map(is_gone, (machine.supervisor, task, child)))
    assert (gone.finished - gone.first_signal).total_seconds() < 60


def test_a_task_that_forks_meanwhile_does_not_get_away(
    supervise: StartSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid4().hex
    monkeypatch.setenv("LAB_TEST_BREED", mark)
    task = supervise(BREEDER)
    wait_until(lambda: descendants_of(task), lambda brood: len(brood) > 5, what="a brood", timeout=10, interval=0.01)

    gone = Machine.under(task.pid).reclaim(grace=0)

    assert len(gone.killed) > 7
    survivors = [each for each in own_processes() if variable_of(each, "LAB_TEST_BREED") == mark]
    kill_all(survivors)
    assert survivors == []


@needs_proc
def test_an_attempt_that_obeys_ends_its_machine_without_a_kill(supervise: StartSupervisor) -> None:
    machine = Machine.under(supervise(OBEDIENT).pid)

    gone = machine.reclaim(grace=60)

    assert gone.ended_in_time
    assert gone.killed == frozenset()
    assert is_gone(machine.supervisor)
    assert (gone.finished - gone.first_signal).total_seconds() < 30


@needs_proc
def test_an_attempt_that_does_not_hear_is_killed_after_the_grace(supervise: StartSupervisor) -> None:
    machine = Machine.under(supervise(DEAF).pid)

    gone = machine.reclaim(grace=0.5)

    assert gone.killed == {machine.supervisor.pid, machine.task.pid}
    assert (gone.finished - gone.first_signal).total_seconds() >= 0.5


@needs_proc
def test_a_supervisor_that_went_on_to_other_work_is_spared(supervise: StartSupervisor) -> None:
    machine = Machine.under(supervise(OBEDIENT, "goes on to other work").pid)

    gone = machine.reclaim(grace=60)

    assert gone.ended_in_time
    assert gone.killed == frozenset()
    assert not is_gone(machine.supervisor)
    wait_until(lambda: descendants_of(machine.supervisor), bool, what="its other work", timeout=10)


@needs_proc
def test_a_supervisor_that_still_reports_when_the_grace_ends_dies_with_its_machine(supervise: StartSupervisor) -> None:
    machine = Machine.under(supervise(OBEDIENT, "reports for ever").pid)

    gone = machine.reclaim(grace=1)

    assert not gone.ended_in_time
    assert gone.killed == {machine.supervisor.pid}


def test_children_that_outlive_their_task_die_when_the_grace_ends(supervise: StartSupervisor) -> None:
    task = supervise(PARENT, children=1)
    (child,) = descendants_of(task)

    gone = Machine.under(task.pid).reclaim(grace=1)

    assert gone.ended_in_time
    assert gone.killed == {child.pid}
    assert is_gone(child)


def test_the_supervisor_outlives_its_task_process(supervise: StartSupervisor) -> None:
    machine = Machine.under(supervise(LONG, "reports for ever").pid)

    gone = machine.kill_task_process()

    assert gone.killed == {machine.task.pid}
    assert is_gone(machine.task)
    assert not is_gone(machine.supervisor)


def test_a_task_process_that_has_ended_has_no_machine(supervise: StartSupervisor) -> None:
    task = supervise(LONG, "reports for ever")
    task.kill()
    wait_until(lambda: is_gone(task), bool, what="its end", timeout=5)

    with pytest.raises(LabError, match="over already"):
        Machine.under(task.pid)
