# SPDX-License-Identifier: Apache-2.0
"""Interrupting coroutines: they are cancelled, while none of them waits for a response of the supervisor.

What a signal handler raises meets whichever of them runs, or the event loop itself; asyncio keeps it there, and the
others would go on. And one that is cancelled in the middle of a request leaves Airflow's lock behind, for ever.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Coroutines:
    """Those of the event loop that runs in the main thread, if one does.

    :param requests: the lock that a coroutine holds during a request.
    """

    def __init__(self, requests: asyncio.Lock | None) -> None:
        self._requests = requests
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancelled = False
        self.told = False
        """Whether they are being cancelled, or have been."""

    def cancel(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel them as soon as it can be done. Safe in a signal handler."""
        self.told = True
        loop.call_soon_threadsafe(lambda: self._tasks.add(loop.create_task(self._cancel())))

    def clean_up(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether one that was cancelled has not ended. Before Python 3.11, any may be one of them."""
        tasks = sys.modules["asyncio"].all_tasks(loop)
        return self._cancelled and any(getattr(task, "cancelling", lambda: 1)() for task in tasks)

    async def _cancel(self) -> None:
        asyncio = sys.modules["asyncio"]
        async with self._requests or contextlib.AsyncExitStack():
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()
            self._cancelled = True


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread."""
    asyncio = sys.modules.get("asyncio")
    try:
        return None if asyncio is None else asyncio.get_running_loop()
    except RuntimeError:
        return None
