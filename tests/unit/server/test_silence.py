# SPDX-License-Identifier: Apache-2.0
"""The executor's own words as the last resort."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.server.silence import known

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
KEY = ("d", "t", "r", -1)
SESSION: Any = SimpleNamespace(info={})


def message(words: str) -> str:
    """As ``process_executor_events`` writes it."""
    return (
        "Executor KubernetesExecutor(parallelism=16) reported that the task instance <TaskInstance: d.t r [running]> "
        "finished with state failed, but the task instance's state attribute is running. Learn more: here"
        f" Extra info: {words}"
    )


@pytest.mark.parametrize(
    ("words", "capacity", "cause"),
    [
        ("Pod failed because of Terminated", SPOT, Cause.SPOT_INTERRUPTION),
        ("Pod failed because of NodeShutdown", ON_DEMAND, Cause.INFRASTRUCTURE),
        ("Pod failed because of DeadlineExceeded", SPOT, Cause.APPLICATION),
        ("Pod failed because of Preempting", ON_DEMAND, Cause.INFRASTRUCTURE),
    ],
)
def test_a_reason_that_a_rule_understands(words: str, capacity: CapacityType, cause: Cause) -> None:
    found = known(SESSION, KEY, 1, message(words), capacity)
    assert found is not None
    assert found.cause is cause


@pytest.mark.parametrize(
    "said",
    [
        None,
        message("Pod failed because of None"),
        message("Pod failed because of Evicted"),  # by the node's pressure or by its own appetite
        message("something that the author wrote: Host EC2 terminated"),
        "without any words of the executor's",
    ],
)
def test_anything_else_is_nothing(said: str | None) -> None:
    assert known(SESSION, KEY, 1, said, SPOT) is None
