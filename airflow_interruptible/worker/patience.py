# SPDX-License-Identifier: Apache-2.0
"""How long a job may wait for a spot machine before its attempt is given up for want of capacity.

No operator asks why its job does not begin. So a thread looks at the job once, when ``spot_timeout`` is over: one that
has not begun is stopped, and the operator's own wait ends with it. While an operator is deferred there is no process in
which to look.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.remote.answer import Answer
from airflow_interruptible.settings import get_settings
from airflow_interruptible.worker.launched_jobs import JOB

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_interruptible.core.evidence import Evidence
    from airflow_interruptible.launched.work import Work

log = logging.getLogger(__name__)


class Patience:
    """Patience with the job of one operator, inside the ``with`` block.

    It ends only if the job was placed on spot, and is of a kind that is given up. ``ran_out`` is whether the job was
    stopped because it did not begin.
    """

    def __init__(self, work: Work, task: Any) -> None:
        self.ran_out = False
        self._work, self._task, self._over = work, task, threading.Event()

    @property
    def evidence(self) -> Evidence:
        """What is known of why the attempt failed, once it ran out."""
        return Answer("airflow", "launched job", {"launched": {"phase": "Waiting"}}).on("spot").evidence()

    def __enter__(self) -> Self:
        """Begin to wait."""
        placed = self._task.interruptible_annotation.launch is not None
        if self._work.given_up and placed and self._task.launched_capacity is CapacityType.SPOT:
            seconds = get_settings().spot_timeout.total_seconds()
            threading.Thread(target=self._wait, args=[seconds], name="spot-timeout", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait no longer."""
        self._over.set()

    def _wait(self, seconds: float) -> None:
        if self._over.wait(seconds):
            return
        job = self._task.launched.get(JOB)
        try:
            if job and self._work.look(self._task, job).state is WorkState.WAITING:
                self.ran_out = True
                log.warning("%s %s found no spot machine in %g s, so it is stopped.", self._work.noun, job, seconds)
                self._work.stop(self._task, job)
        except Exception:
            self.ran_out = False
            log.warning(
                "Whether %s %s has begun cannot be seen; it is waited for.", self._work.noun, job, exc_info=True
            )
