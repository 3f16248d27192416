# SPDX-License-Identifier: Apache-2.0
"""The few things the lab does to the processes of this machine: list, look at, signal, kill.

It must not know what the processes are for. Every look tells a process by its id *and* its creation time (psutil does),
so that one which got a dead one's id is never taken for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import psutil

from airflow_interruptible.testing.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIGKILL_SECONDS = 60.0
"""How long the kernel may take to end a process: a busy machine stalls for longer than it takes."""


def own_processes() -> Iterator[psutil.Process]:
    """Every living process of this user except this one."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.uids().real == os.getuid() and not is_gone(process):
                yield process


def session_of(process: psutil.Process) -> int | None:
    """The id of its session; None if it is gone."""
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def variable_of(process: psutil.Process, name: str) -> str | None:
    """An environment variable as the process was executed with it; None also when the system does not say."""
    try:
        return process.environ().get(name)
    except psutil.Error:
        return None


def is_gone(process: psutil.Process) -> bool:
    """Whether it has ended. A zombie has: only its parent has not looked yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def send(process: psutil.Process, number: signal.Signals) -> bool:
    """Signal it, and say whether it was still there."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def descendants_of(process: psutil.Process) -> set[psutil.Process]:
    """Its children, their children and so on, whatever session they moved to; empty if it is gone."""
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL them and wait until they are gone.

    :raises LabError: when one outlives it by 5 s, which only a process stuck in the kernel does.
    """
    doomed = list(processes)
    for process in doomed:
        send(process, signal.SIGKILL)
    deadline = time.monotonic() + SIGKILL_SECONDS
    while left := [process.pid for process in doomed if not is_gone(process)]:
        if time.monotonic() > deadline:
            raise LabError(f"processes {left} outlived SIGKILL by {SIGKILL_SECONDS:g} s: are they stuck in the kernel?")
        time.sleep(0.01)
