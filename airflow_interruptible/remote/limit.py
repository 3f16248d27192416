# SPDX-License-Identifier: Apache-2.0
"""Looking somewhere else without waiting for it: whatever is known when the time is up counts, and nothing is raised.

A client that hangs cannot be interrupted, so it is left behind in a thread that does not keep the process alive. It
must not know what is looked for.
"""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

Found = TypeVar("Found")

_SLICE = 0.1
"""Seconds. The wait is counted in these, so that a machine that stalls for longer loses no more than one of them."""


def latest(look: Callable[[], Iterator[Found]], seconds: float) -> Found | None:
    """Return the last thing that ``look`` came up with in time, or None.

    :param look: yields what it finds as it finds it, each better than the one before. An error keeps what came before.
    :param seconds: how long is waited for it, in all.
    """
    found: list[Found] = []
    over = threading.Event()

    def run() -> None:
        try:
            for thing in look():
                if over.is_set():
                    return
                found.append(thing)
        except BaseException as error:  # noqa: BLE001 - whatever it is, in this thread it is no evidence
            log.debug("No further evidence: %s: %.300s", type(error).__name__, error)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="evidence", daemon=True)
    thread.start()
    for _ in range(max(1, round(seconds / _SLICE))):
        thread.join(_SLICE)
        if not thread.is_alive():
            break
    over.set()
    if thread.is_alive():
        log.debug("No further evidence: it was not there within %.1f s", seconds)
    return found[-1] if found else None
