# SPDX-License-Identifier: Apache-2.0
"""A task's process listens to those above it: a worker that is shut down tells it to stop, and so does its orphanhood.

Without its supervisor a task cannot report, and nobody sends its heartbeats; but its code would go on, beside the next
attempt, which Airflow starts once the heartbeats have been missed for long enough. So it is told, and after a while
killed. This must not know why anything is shut down.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_interruptible.worker import celery

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 30.0
"""How long the code of a task may take to end once its supervisor is gone. A heartbeat is missed for longer."""

_LOOK_SECONDS = 1.0


@contextmanager
def supervised() -> Iterator[None]:
    """Tell the task in the ``with`` block to stop, by a SIGTERM to this process, when those above it do or are gone.

    Where there is no supervisor, as in ``dag.test``, nobody is listened to.
    """
    if not _has_supervisor():
        yield
        return
    listener = _Listener()
    listener.start()
    try:
        yield
    finally:
        listener.stop()


def _has_supervisor() -> bool:
    """Whether this process was started for one task, and talks to its supervisor by a socket."""
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return hasattr(comms, "socket") and threading.current_thread() is threading.main_thread()


class _Listener:
    def __init__(self) -> None:
        self._parent = os.getppid()
        self._line = celery.line()
        self._stopped, self._stop = os.pipe()
        self._told = False

    def start(self) -> None:
        if self._line is not None:
            try:
                self._line.attend()
            except OSError:
                log.debug("The worker does not wait for this task.", exc_info=True)
        threading.Thread(target=self._listen, name="interruptible-supervision", daemon=True).start()

    def stop(self) -> None:
        os.close(self._stop)

    def _listen(self) -> None:
        poll = select.poll()
        poll.register(self._stopped, select.POLLIN)
        if self._line is not None:
            poll.register(self._line.told, select.POLLIN)
        while os.getppid() == self._parent:
            ready = {descriptor for descriptor, _ in poll.poll(1000 * _LOOK_SECONDS)}
            if self._stopped in ready:
                os.close(self._stopped)
                return
            if ready:
                log.warning("The Celery worker of this task is shut down.")
                os.kill(os.getpid(), signal.SIGTERM)
                poll.unregister(next(iter(ready)))
        self._end_the_orphan(poll)

    def _end_the_orphan(self, poll: select.poll) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        with contextlib.suppress(KeyError, TypeError):
            if self._line is not None:
                poll.unregister(self._line.told)
        if not poll.poll(1000 * ORPHAN_SECONDS):
            os.kill(os.getpid(), signal.SIGKILL)
