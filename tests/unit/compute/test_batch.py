# SPDX-License-Identifier: Apache-2.0
"""Two queues of AWS Batch for the Airflow task itself."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.batch import BatchCompute
from airflow_interruptible.compute.executor_jobs import EXECUTORS
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

OURS = EXECUTORS["batch"]
ONCE = {"retryStrategy": {"attempts": 1}}


def slot(**config: Any) -> Slot:
    return Slot("default", OURS, config)


@pytest.fixture
def compute() -> BatchCompute:
    return BatchCompute({"spot": "cheap", "on_demand": "sure"})


@pytest.mark.parametrize("config", [{}, {"jobQueue": "cheap"}, {"jobQueue": "sure"}])
def test_each_capacity_has_its_queue_and_batch_tries_once(compute: BatchCompute, config: dict[str, Any]) -> None:
    compute.check(slot(**config))
    assert compute.place(slot(**config), CapacityType.SPOT).executor_config == {"jobQueue": "cheap", **ONCE}
    assert compute.place(slot(**config), CapacityType.ON_DEMAND).executor_config == {"jobQueue": "sure", **ONCE}


def test_a_queue_of_the_author_s_own_stays_and_is_refused(compute: BatchCompute) -> None:
    assert compute.place(slot(jobQueue="gpu"), CapacityType.SPOT) == slot(jobQueue="gpu")
    with pytest.raises(ConfigurationError, match="'gpu'} and compute 'batch' contradict each other"):
        compute.check(slot(jobQueue="gpu"))


def test_retries_of_batch_s_own_are_refused(compute: BatchCompute) -> None:
    with pytest.raises(ConfigurationError, match="Batch would try again by itself"):
        compute.check(slot(retryStrategy={"attempts": 3}))


def test_another_executor_is_refused(compute: BatchCompute) -> None:
    with pytest.raises(ConfigurationError, match="contradict each other: only airflow_interruptible"):
        compute.check(Slot("default", "CeleryExecutor"))
