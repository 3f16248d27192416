# SPDX-License-Identifier: Apache-2.0
"""Waits for something to become true, and says what it saw when it never did.

The only module of the lab that sleeps. It must not know what is waited for.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from airflow_interruptible.testing.errors import LabTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_REMEMBERED = 8


def wait_until(
    look: Callable[[], T],
    done: Callable[[T], bool],
    *,
    what: str,
    timeout: float,
    interval: float = 0.1,
    describe: Callable[[T], str] = str,
) -> T:
    """Look again and again until ``done`` says yes to what was seen, and return that.

    :param look: asks for the present state. What it raises ends the wait.
    :param done: whether this state is the one waited for.
    :param what: the thing waited for, as it reads after "waited 5 s for".
    :param timeout: seconds. One last look is taken when they are over.
    :param interval: seconds between two looks; 0.1 keeps a busy api-server busy with its own work.
    :param describe: how a state is told in the message of a time-out; only changes are told.
    :raises LabTimeoutError: with the last different states that were seen, and when.
    """
    started = time.monotonic()
    seen: deque[str] = deque(maxlen=_REMEMBERED)
    last: str | None = None
    while True:
        elapsed = time.monotonic() - started
        state = look()
        if done(state):
            return state
        told = describe(state)
        if told != last:
            last = told
            seen.append(f"  after {elapsed:5.1f} s: {told}")
        if elapsed >= timeout:
            raise LabTimeoutError("\n".join([f"waited {timeout:g} s for {what}; seen instead:", *seen]))
        time.sleep(interval)
