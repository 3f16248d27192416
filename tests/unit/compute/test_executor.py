# SPDX-License-Identifier: Apache-2.0
"""Two executors of one deployment."""

from __future__ import annotations

import pytest

from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.executor import ExecutorCompute
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


@pytest.fixture
def compute() -> ExecutorCompute:
    return ExecutorCompute({"spot": "CeleryExecutor", "on_demand": "LocalExecutor"})


@pytest.mark.parametrize("executor", [None, "CeleryExecutor", "LocalExecutor"])
def test_each_capacity_has_its_executor(compute: ExecutorCompute, executor: str | None) -> None:
    assert compute.place(Slot("q", executor, {"a": 1}), SPOT) == Slot("q", "CeleryExecutor", {"a": 1})
    assert compute.place(Slot("q", executor, {"a": 1}), ON_DEMAND) == Slot("q", "LocalExecutor", {"a": 1})


def test_the_queue_tells_nothing(compute: ExecutorCompute) -> None:
    assert compute.capacity_of("default") is None


def test_a_pair_that_airflow_has_is_accepted(compute: ExecutorCompute, executors: pytest.MonkeyPatch) -> None:
    executors.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor,CeleryExecutor")
    compute.check(Slot())
    compute.check(Slot(executor="CeleryExecutor"))


def test_an_alias_is_accepted(executors: pytest.MonkeyPatch) -> None:
    executors.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor,cheap:CeleryExecutor")
    ExecutorCompute({"spot": "cheap", "on_demand": "LocalExecutor"}).check(Slot())


def test_a_pair_that_airflow_does_not_have_is_refused(compute: ExecutorCompute, executors: pytest.MonkeyPatch) -> None:
    executors.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    with pytest.raises(ConfigurationError, match=r"names 'CeleryExecutor', which .* does not have.*Add it there"):
        compute.check(Slot())


def test_an_executor_of_the_author_s_own_stays_and_is_refused(compute: ExecutorCompute) -> None:
    slot = Slot(executor="KubernetesExecutor")
    assert compute.place(slot, SPOT) == slot
    with pytest.raises(ConfigurationError, match="executor='KubernetesExecutor' and compute 'executor' contradict"):
        compute.check(slot)
