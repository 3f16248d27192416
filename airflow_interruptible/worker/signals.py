# SPDX-License-Identifier: Apache-2.0
"""Turn the SIGTERM of a vanishing machine into :class:`Interrupted`, raised inside ``execute``.

Airflow's own handler calls ``on_kill()`` and returns, after which ``execute`` goes on and may even succeed. Ours
calls that handler and then raises. It does nothing else: the interrupted code may hold any lock, so neither I/O nor a
request to the supervisor is safe in here.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker.comms import request_under_way

if TYPE_CHECKING:
    import asyncio

_Handler = Callable[[int, FrameType | None], object]

_POLL_SECONDS = 0.01


@dataclass
class Watch:
    """Whether a signal arrived while it was watched for. ``arrived`` is when, in seconds since the epoch."""

    arrived: float | None = None
    _settled: bool = field(default=False, repr=False)

    def handle(self, signum: int, frame: FrameType | None, inner: _Handler | None) -> None:
        """Handle the signal: let Airflow stop the operator's work, then raise, both once."""
        failed: Exception | None = None
        if self.arrived is None:
            self.arrived = time.time()
            try:
                if inner is not None:
                    inner(signum, frame)
            except Exception as error:  # noqa: BLE001 - on_kill failed, which the author's code may catch and go on
                failed = error
        if self._settled:
            return
        if request_under_way():
            self._signal_again(signum)
            return
        self._settled = True
        _cancel_coroutines()
        raise Interrupted(f"{signal.Signals(signum).name}: the machine of this attempt was told to stop") from failed

    def close(self) -> None:
        """Raise no more: the watched block is left."""
        self._settled = True

    def _signal_again(self, signum: int) -> None:
        """Deliver the signal again once the request under way has its response."""

        def wait() -> None:
            while request_under_way():
                time.sleep(_POLL_SECONDS)
            if not self._settled:
                os.kill(os.getpid(), signum)

        threading.Thread(target=wait, name="interruptible-signal", daemon=True).start()


def _cancel_coroutines() -> None:
    """Let every coroutine of the event loop that runs here be cancelled.

    The exception is raised in whichever of them runs; asyncio keeps it there, and the others would go on.
    """
    asyncio = sys.modules.get("asyncio")
    try:
        loop = None if asyncio is None else asyncio.get_running_loop()
    except RuntimeError:
        return
    if loop is not None:
        loop.call_soon_threadsafe(_cancel_all, loop)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in sys.modules["asyncio"].all_tasks(loop):
        if not getattr(task, "cancelling", int)():  # known from Python 3.11 on; to cancel twice would end a clean-up
            task.cancel()


@contextmanager
def watched(signum: signal.Signals = signal.SIGTERM) -> Iterator[Watch]:
    """Watch for the signal inside the ``with`` block.

    Outside the main thread, where Python allows no handler, nothing is watched. A process forked inside the block
    inherits the handler but not the duty: there, only the handler that was in place before is called.

    :raises Interrupted: the signal arrived inside the block, whatever the code in it made of the exception.
    """
    watch = Watch()
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    previous = signal.getsignal(signum)
    signal.signal(signum, _handler(watch, previous if callable(previous) else None))
    try:
        yield watch
    except Interrupted:
        raise
    except BaseException as error:
        if watch.arrived is None:
            raise
        raise Interrupted("the machine of this attempt was told to stop") from error
    finally:
        watch.close()
        signal.signal(signum, previous)
    if watch.arrived is not None:
        raise Interrupted("the machine of this attempt was told to stop, and the task swallowed it")


def _handler(watch: Watch, inner: _Handler | None) -> _Handler:
    owner = os.getpid()

    def handler(signum: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            watch.handle(signum, frame, inner)
        elif inner is not None:
            inner(signum, frame)

    return handler
