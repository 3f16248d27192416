# SPDX-License-Identifier: Apache-2.0
"""Two capacity providers of ECS for the Airflow task itself."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.compute.base import Slot
from airflow_interruptible.compute.ecs import EcsCompute
from airflow_interruptible.compute.executor_jobs import EXECUTORS
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
OURS = EXECUTORS["ecs"]


def strategy(*names: str) -> dict[str, Any]:
    return {"capacityProviderStrategy": [{"capacityProvider": name, "weight": 1} for name in names]}


def slot(**config: Any) -> Slot:
    return Slot("default", OURS, config)


@pytest.fixture(autouse=True)
def _our_executor(monkeypatch: pytest.MonkeyPatch, configure: Any) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", OURS)
    configure()


@pytest.mark.parametrize("config", [{}, strategy("FARGATE"), strategy("FARGATE_SPOT"), {"tags": []}])
def test_each_capacity_has_its_provider(config: dict[str, Any]) -> None:
    compute = EcsCompute({})
    compute.check(slot(**config))
    assert compute.place(slot(**config), SPOT).executor_config == {**config, **strategy("FARGATE_SPOT")}
    assert compute.place(slot(**config), ON_DEMAND).executor_config == {**config, **strategy("FARGATE")}


@pytest.mark.parametrize(
    "config", [strategy("other"), strategy("FARGATE", "FARGATE_SPOT"), {"launchType": "EC2"}, strategy()]
)
def test_a_place_of_the_author_s_own_stays_and_is_refused(config: dict[str, Any]) -> None:
    compute = EcsCompute({})
    assert compute.place(slot(**config), SPOT) == slot(**config)
    with pytest.raises(ConfigurationError, match="and compute 'ecs' contradict each other"):
        compute.check(slot(**config))


def test_own_providers() -> None:
    compute = EcsCompute({"spot": "cheap", "on_demand": "sure"})
    assert compute.place(slot(), ON_DEMAND).executor_config == strategy("sure")
    with pytest.raises(ConfigurationError, match="two different names"):
        EcsCompute({"spot": "cheap"})


@pytest.mark.parametrize("executor", ["LocalExecutor", "airflow.providers.amazon.aws.executors.ecs.AwsEcsExecutor"])
def test_another_executor_is_refused(executor: str) -> None:
    with pytest.raises(ConfigurationError, match="contradict each other: only airflow_interruptible"):
        EcsCompute({}).check(Slot("default", executor))


@pytest.mark.parametrize(
    ("launch_type", "options", "fits"),
    [
        ("", {}, True),
        ("FARGATE", {}, True),
        ("EC2", {}, False),
        ("EC2", {"spot": "cheap", "on_demand": "sure"}, True),
        ("EXTERNAL", {"spot": "cheap", "on_demand": "sure"}, False),
    ],
)
def test_a_launch_type_that_placing_would_overrule_is_refused(
    monkeypatch: pytest.MonkeyPatch, launch_type: str, options: dict[str, str], *, fits: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE", launch_type)
    if fits:
        EcsCompute(options).check(slot())
        return
    with pytest.raises(ConfigurationError, match=f"is '{launch_type}', and compute 'ecs' would send tasks"):
        EcsCompute(options).check(slot())
