# SPDX-License-Identifier: Apache-2.0
"""Wait for something to become true, in tests that have it in their own process."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 240.0
"""How many seconds a test waits for a real stack, as its client does. Only a failure takes that long."""

UNHURRIED = {"task_instance_heartbeat_timeout": 30}
"""``[scheduler]``: a stall of a busy machine is shorter. Where a machine dies without a word, a test may say less."""


def until(look: Callable[[], T], seconds: float = 60.0) -> T:
    """Look until what is seen is true, and return it.

    :raises LabTimeoutError: it did not come true in time.
    """
    return wait_until(look, bool, what="it to come true", timeout=seconds, interval=0.005)
