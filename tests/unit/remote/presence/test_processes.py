# SPDX-License-Identifier: Apache-2.0
"""Real processes: gone, there, stopped, dead but not waited for, and a number that belongs to another by now."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from waiting import until

from airflow_interruptible.remote.presence import processes

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield started
    started.kill()
    started.wait()


@pytest.fixture
def gone_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def proved(life: Any, pid: int, supervisor: int, *, host: str = "", executor: str = "LocalExecutor") -> list[str]:
    began = datetime.now(timezone.utc) + timedelta(seconds=1)
    one = replace(life(executor, pid=pid, supervisor=supervisor, host=host or socket.gethostname()), begun=began)
    return [proof.what for _, proof in processes.gone({1: one})]


def test_both_gone_is_a_proof(life: Any, gone_pid: int) -> None:
    assert proved(life, gone_pid, gone_pid) == [f"its process {gone_pid} on {socket.gethostname()}"]
    assert proved(life, gone_pid, gone_pid, executor="InterruptibleLocalExecutor")


def test_one_that_is_there_is_none(life: Any, gone_pid: int, process: subprocess.Popen[bytes]) -> None:
    assert not proved(life, gone_pid, process.pid)
    assert not proved(life, process.pid, gone_pid)


def test_one_that_is_stopped_is_there(life: Any, gone_pid: int, process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    assert not proved(life, gone_pid, process.pid)


def test_one_that_nobody_waits_for_is_gone(life: Any, gone_pid: int, process: subprocess.Popen[bytes]) -> None:
    process.kill()
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert proved(life, process.pid, gone_pid)


def test_a_number_that_belongs_to_a_later_process_is_free(
    life: Any, gone_pid: int, process: subprocess.Popen[bytes]
) -> None:
    before = datetime.now(timezone.utc) - timedelta(hours=1)
    one = replace(life(pid=process.pid, supervisor=gone_pid, host=socket.gethostname()), begun=before)
    assert list(processes.gone({1: one}))


def test_only_local_executors_of_this_host_are_looked_for(life: Any, gone_pid: int) -> None:
    assert not proved(life, gone_pid, gone_pid, host="another-host")
    assert not proved(life, gone_pid, gone_pid, executor="CeleryExecutor")
    assert not list(processes.gone({1: life(host=socket.gethostname(), pid=gone_pid)})), "written by 0.1.0"
    assert not list(processes.gone({1: life(host=socket.gethostname(), pid="x", supervisor="-1")}))
