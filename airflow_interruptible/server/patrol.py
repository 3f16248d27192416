# SPDX-License-Identifier: Apache-2.0
"""Looking after something from a scheduler's process, again and again, in a thread that its loop never waits for.

The scheduler's heartbeat starts it, which only a scheduler's process has. It fails open: a look that fails is followed
by another, later and later; what a patrol cannot do, Airflow does in its own time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.server.seam import SeamChangedError

log = logging.getLogger(__name__)

Round: TypeAlias = tuple[Callable[[], None], float]
"""What looks, and how many seconds lie between two looks."""

_LONGEST = 300.0
"""The longest wait, in seconds, after looks that failed."""


class Patrol:
    """The one of its kind in this process.

    :param name: of the thread, and of the option of airflow.cfg that it stands for.
    :param begin: returns the round for a scheduler's job, None where there is nothing to look after. It may load what
        it needs: it runs in the thread.
    :param instead: what happens without it, a sentence.
    """

    def __init__(self, name: str, begin: Callable[[int], Round | None], instead: str) -> None:
        self._name, self._begin, self._instead = name, begin, instead
        self._thread: threading.Thread | None = None

    def beat(self, job_id: int) -> None:
        """Begin for the scheduler with that job, unless that has been done. Costs nothing after that."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._walk, args=(job_id,), name=self._name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            log.warning("%s in section interruptible of airflow.cfg has no effect, for no thread can be started. %s",
                        self._name, self._instead)  # fmt: skip

    def _walk(self, job_id: int) -> None:
        try:
            found = self._begin(job_id)
        except (SeamChangedError, ConfigurationError) as error:
            log.warning("%s in section interruptible of airflow.cfg has no effect. %s %s", self._name, error,
                        self._instead)  # fmt: skip
            return
        if found is not None:
            self._look(*found)

    def _look(self, look: Callable[[], None], pause: float) -> None:
        failures = 0
        while True:
            time.sleep(min(pause * 2 ** min(failures, 10), _LONGEST))
            try:
                look()
                failures = 0
            except Exception:  # noqa: BLE001 - whatever it is, the next look may work
                failures += 1
                tell = log.warning if failures == 1 else log.debug
                tell("A look for %s failed; the next one comes later. %s", self._name, self._instead, exc_info=True)
