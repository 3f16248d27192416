# SPDX-License-Identifier: Apache-2.0
"""What an operator has started, here or elsewhere: told to end, and waited for.

``on_kill()`` is the operator's way to end it; where it has none, the processes that the task has started are its work.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from airflow_interruptible.worker import children

log = logging.getLogger(__name__)


class Work:
    """The work of one attempt.

    :param task: the operator. If it has ``interruptible_wait_until_stopped(deadline)``, that returns when what
        ``on_kill()`` has stopped has ended, or at the deadline (``time.monotonic()``).
    """

    def __init__(self, task: Any) -> None:
        self._task = task
        self._children = children.Children()
        self._waiting = threading.Lock()
        self.ended = False
        self.failed: BaseException | None = None
        """What ``on_kill()`` raised."""

    def stop(self) -> None:
        """Call ``on_kill()``, whatever becomes of it."""
        try:
            self._task.on_kill()
        except BaseException as error:
            self.failed = error
            log.warning("on_kill() failed after the attempt was told to stop.", exc_info=True)

    @property
    def lives(self) -> bool:
        """Whether there is anything to wait for."""
        return self._waits or bool(self._children.all())

    @property
    def _waits(self) -> bool:
        return hasattr(self._task, "interruptible_wait_until_stopped")

    def wait(self, deadline: float) -> None:
        """Wait until it has ended, and kill what has not at ``deadline``."""
        with self._waiting:
            if self.ended:
                return
            try:
                started = self._children.all()
                if not _has_on_kill(self._task):
                    children.tell(started)
                if self._waits:
                    self._task.interruptible_wait_until_stopped(deadline)
                if not children.wait_for(started, deadline):
                    children.kill(started)
            except Exception:
                log.warning("Whether the work of this attempt has ended cannot be told.", exc_info=True)
            self.ended = True

    def end(self, deadline: float) -> None:
        """Wait for it, and end whatever else the code has left running."""
        self.wait(deadline)
        self._children.end(deadline)


def _has_on_kill(task: Any) -> bool:
    """Whether the operator itself knows how to stop its work."""
    from airflow.sdk import BaseOperator

    made_from = getattr(task, "made_from", type(task))
    return getattr(made_from, "on_kill", None) is not BaseOperator.on_kill
