# SPDX-License-Identifier: Apache-2.0
"""Two queues, served by two kinds of workers."""

from __future__ import annotations

import pytest

from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.queue import QueueCompute
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


@pytest.fixture
def compute() -> QueueCompute:
    return QueueCompute({"spot": "cheap", "on_demand": "safe"})


@pytest.mark.parametrize("queue", [None, "default", "cheap", "safe"])
def test_each_capacity_has_its_queue(compute: QueueCompute, queue: str | None) -> None:
    assert compute.place(Slot(queue), SPOT) == Slot("cheap")
    assert compute.place(Slot(queue), ON_DEMAND) == Slot("safe")
    compute.check(Slot(queue))


def test_only_the_queue_is_touched(compute: QueueCompute) -> None:
    assert compute.place(Slot("default", "CeleryExecutor", {"a": 1}), SPOT) == Slot("cheap", "CeleryExecutor", {"a": 1})


def test_a_queue_of_the_author_s_own_stays_and_is_refused(compute: QueueCompute) -> None:
    assert compute.place(Slot("gpu"), SPOT) == Slot("gpu")
    with pytest.raises(ConfigurationError, match="queue='gpu' and compute 'queue' contradict each other") as raised:
        compute.check(Slot("gpu"))
    assert '"spot": "gpu-spot"' in str(raised.value)


def test_airflow_s_default_queue_is_nobody_s_choice(compute: QueueCompute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_QUEUE", "main")
    compute.check(Slot("main"))
    with pytest.raises(ConfigurationError, match="queue='default'"):
        compute.check(Slot("default"))


def test_a_queue_tells_the_capacity(compute: QueueCompute) -> None:
    assert compute.capacity_of("cheap") is SPOT
    assert compute.capacity_of("safe") is ON_DEMAND
    assert compute.capacity_of("default") is None
    assert compute.capacity_of(None) is None
