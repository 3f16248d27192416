# SPDX-License-Identifier: Apache-2.0
"""The processes that a task has started: its work, as much as its own code is.

What is left of them when the attempt ends would go on beside the next attempt. Whoever was there before the attempt
is none of its business: a test that runs a Dag in its own process has servers, for one.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psutil

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.02

_TICK_SECONDS = 0.01
"""The kernel keeps times of start in these."""

_TRACKERS = ("resource_tracker", "multiprocessing.forkserver")
"""Helpers of ``multiprocessing`` and joblib, by what their command lines say: they ignore SIGTERM, and end with the
process that started them. https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods"""


class Children:
    """The children of this process that were started after this was made."""

    def __init__(self) -> None:
        self._begun = _now()

    def any(self) -> bool:
        """Whether there may be some. One system call: safe in a signal handler."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        except (AttributeError, OSError):  # not on every system
            return True
        return True

    def all(self) -> list[psutil.Process]:
        """Return them, and what they have started."""
        import psutil  # every worker has loaded it

        found: list[psutil.Process] = []
        for child in psutil.Process().children() if self.any() else ():
            with suppress(psutil.Error):
                if _started(child) >= self._begun:
                    found += [child, *child.children(recursive=True)]
        return [process for process in found if not _is_tracker(process)]

    def end(self, deadline: float) -> None:
        """End what is left of them: SIGTERM, and SIGKILL at ``deadline`` (``time.monotonic()``)."""
        left = self.all()
        tell(left)
        if not wait_for(left, deadline):
            kill(left)


def tell(processes: Iterable[psutil.Process]) -> None:
    """Tell processes to stop."""
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            process.terminate()


def wait_for(processes: Iterable[psutil.Process], deadline: float) -> bool:
    """Wait until all have ended, or for ``deadline``; return whether they have. One not yet waited for has ended."""
    left = list(processes)
    while left := [process for process in left if _lives(process)]:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill what still lives: the time that is known to be left is over."""
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            if _lives(process):
                log.warning("Process %d has not ended in time after it was told to stop; it is killed.", process.pid)
                process.kill()


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_tracker(process: psutil.Process) -> bool:
    import psutil

    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return any(tracker in line for tracker in _TRACKERS)


def _now() -> float:
    """Return the time on the clock that :func:`_started` tells."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) - _TICK_SECONDS
    return time.time()


def _started(process: psutil.Process) -> float:
    """Return when a process was started: on Linux in seconds since boot, as the kernel keeps it."""
    import psutil

    if hasattr(time, "CLOCK_BOOTTIME"):
        booted = psutil.boot_time()  # first: psutil adds the one that was asked for last
        return process.create_time() - booted
    return process.create_time()
