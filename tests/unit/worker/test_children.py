# SPDX-License-Identifier: Apache-2.0
"""What a task has started, real processes, and when it has ended."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from waiting import until

from airflow_interruptible.worker.children import Children, tell, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = 60


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that was there before the task."""
    process = subprocess.Popen(["sleep", str(LONG)])
    time.sleep(0.05)
    yield process
    process.kill()
    process.wait()


def shell(script: str, begun: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["bash", "-c", script.format(begun=begun)])
    until(begun.exists)
    return process


def test_a_process_that_was_there_before_is_none_of_the_task_s(bystander: subprocess.Popen[bytes]) -> None:
    children = Children()
    assert children.all() == []
    children.end(time.monotonic())
    assert bystander.poll() is None


def test_what_a_child_has_started_ends_too(bystander: subprocess.Popen[bytes], tmp_path: Path) -> None:
    children = Children()
    child = shell(f"sleep {LONG} & echo > {{begun}}; wait", tmp_path / "begun")
    until(lambda: len(children.all()) == 2)
    children.end(time.monotonic() + LONG)
    assert child.wait(1) == -signal.SIGTERM
    assert bystander.poll() is None
    assert children.all() == []


def test_a_child_that_saves_is_waited_for(tmp_path: Path) -> None:
    children = Children()
    child = shell("trap 'sleep 0.3; exit 7' TERM; echo > {begun}; while true; do sleep 0.05; done", tmp_path / "begun")
    found = children.all()
    tell(found)
    assert not wait_for(found, time.monotonic())
    assert wait_for(found, time.monotonic() + LONG)
    assert child.wait(1) == 7


def test_a_child_that_does_not_end_is_killed_in_time(tmp_path: Path) -> None:
    children = Children()
    child = shell("trap '' TERM; echo > {begun}; while true; do sleep 0.05; done", tmp_path / "begun")
    children.end(time.monotonic() + 0.2)
    assert child.wait(LONG) == -signal.SIGKILL


def test_a_helper_of_multiprocessing_ends_with_its_parent() -> None:
    """It ignores SIGTERM; to wait for it would cost every such task its grace, to kill it what it looks after."""
    from multiprocessing import shared_memory

    children = Children()
    memory = shared_memory.SharedMemory(create=True, size=1)
    try:
        assert children.any()
        assert children.all() == []
    finally:
        memory.close()
        memory.unlink()
