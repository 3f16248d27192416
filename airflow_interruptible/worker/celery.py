# SPDX-License-Identifier: Apache-2.0
"""Celery's main process passes on that it is told to stop, to the interruptible tasks under it, and to no others.

Celery itself waits for its tasks when it is told to stop (warm), or ends their supervisors (cold), and tells none. What
passes it on is a pipe that every process forked from here inherits: it becomes readable for all of them at once, also
when this process dies. See :mod:`airflow_interruptible.worker.supervision` for the other end.

The surprising fact: Celery's handler of a cold shutdown ends the pool while it runs, and sends its
``worker_shutting_down`` after that; so handlers are wrapped, and the tasks have a while before Celery goes on.
https://docs.celeryq.dev/en/stable/userguide/workers.html#stopping-the-worker
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

log = logging.getLogger(__name__)

COLD_SECONDS = 20.0
"""How long a cold shutdown waits for the tasks that were told. Kubernetes grants 30 s by default."""

_SETTLE_SECONDS = 2.0
"""How long the supervisors of those tasks have then, which know of the end a moment later and report it."""

_POLL = 0.1
_COMMAND = ["celery", "worker"]
_SIGNALS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


@dataclass
class Line:
    """From a worker's main process to the tasks under it.

    :param told: becomes readable for everybody when the worker is told to stop, or is gone. Nobody reads it.
    :param ends: the other end, which only the main process keeps.
    :param attendance: a file without a name, of which every task that listens locks the byte of its process id. Such a
        lock ends with its process, however that ends.
    """

    told: int
    ends: int
    attendance: IO[bytes]
    main: int

    @classmethod
    def laid(cls) -> Line:
        """Open a line in this process."""
        told, ends = os.pipe()
        return cls(told, ends, tempfile.TemporaryFile(), os.getpid())

    def tell(self) -> None:
        """Tell every task under this worker, in a signal handler or anywhere else."""
        if os.getpid() == self.main:
            with contextlib.suppress(OSError):
                os.write(self.ends, b"!")

    def attend(self) -> None:
        """Have a worker that is in a hurry wait for the end of this process."""
        fcntl.lockf(self.attendance, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, os.getpid())

    def wait(self, seconds: float) -> None:
        """Wait until the processes of all tasks that listened have ended, and are reported."""
        latest = time.monotonic() + seconds
        attended = self._attended()
        while attended and self._attended() and time.monotonic() < latest:
            time.sleep(_POLL)
        if attended:
            time.sleep(_SETTLE_SECONDS)

    def _attended(self) -> bool:
        try:
            fcntl.lockf(self.attendance, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.lockf(self.attendance, fcntl.LOCK_UN)
        return False


class _Above:
    """What processes inherit from the worker's main one is its memory at that time."""

    line: Line | None = None


def line() -> Line | None:
    """Return the line of the Celery worker that this process belongs to, None under any other executor."""
    return _Above.line


def install() -> None:
    """Pass shutdowns on, if this process is the main one of ``airflow celery worker``; else do nothing."""
    if sys.argv[1:3] != _COMMAND:
        return
    try:
        from celery.signals import worker_init, worker_process_init  # type: ignore[import-untyped]
    except ImportError:
        return
    worker_init.connect(_begin, weak=False)
    worker_process_init.connect(_in_pool, weak=False)


def _begin(sender: Any = None, **_: Any) -> None:
    """Lay the line before the pool is forked, and take part in the worker's start and end."""
    try:
        line = Line.laid()
        sender.app.steps["worker"].add(_step(line))
        _Above.line = line
    except Exception:
        log.warning(
            "This version of Celery is not known, so tasks are not told when their worker is shut down.", exc_info=True
        )


def _in_pool(**_: Any) -> None:
    """Keep only the end that listens: the line must end with the main process."""
    line = _Above.line
    if line is not None and os.getpid() != line.main:
        os.close(line.ends)


def _step(line: Line) -> type:
    from celery import bootsteps  # type: ignore[import-untyped]

    class PassOnShutdown(bootsteps.StartStopStep):  # type: ignore[misc]
        """Started after Celery has its signal handlers, stopped before the pool is waited for."""

        requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - as Celery spells it

        def start(self, parent: Any) -> None:  # noqa: ARG002
            for signum in _SIGNALS:
                previous = signal.getsignal(signum)
                if callable(previous):
                    signal.signal(signum, _passing_on(line, previous))

        def stop(self, parent: Any) -> None:  # noqa: ARG002
            line.tell()  # by ``airflow celery shutdown-worker`` no signal comes

        def terminate(self, parent: Any) -> None:  # noqa: ARG002
            line.tell()

    return PassOnShutdown


def _passing_on(line: Line, previous: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], Any]:
    def handler(signum: int, frame: FrameType | None) -> Any:
        if os.getpid() == line.main:
            line.tell()
            if _is_cold(signum):
                line.wait(COLD_SECONDS)
        return previous(signum, frame)

    return handler


def _is_cold(signum: int) -> bool:
    """https://docs.celeryq.dev/en/stable/userguide/workers.html#cold-shutdown ."""
    return signum == signal.SIGQUIT or (signum == signal.SIGTERM and os.environ.get("REMAP_SIGTERM") == "SIGQUIT")
