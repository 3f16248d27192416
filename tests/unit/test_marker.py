# SPDX-License-Identifier: Apache-2.0
"""What the server knows of a task instance: one key in ``executor_config``."""

from __future__ import annotations

import pickle
import sys
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.delay import AuthorBackoff
from airflow_interruptible.marker import KEY, Marker, tolerated_by

MARKER = Marker(
    interruptible=True,
    budget=Budget(2, 3),
    capacity=CapacityType.SPOT,
    system_retry_delay=timedelta(seconds=10),
    compute={"name": "queue", "spot": "a", "on_demand": "b"},
)
VALUE = MARKER.to_config({})[KEY]

markers = st.builds(
    Marker,
    interruptible=st.booleans(),
    budget=st.builds(Budget, st.integers(0, 9), st.integers(0, 9)),
    capacity=st.sampled_from(CapacityType),
    system_retry_delay=st.timedeltas(timedelta(0), timedelta(days=1)),
    compute=st.none() | st.just({"name": "none"}),
    backoff=st.none()
    | st.builds(
        AuthorBackoff,
        st.timedeltas(timedelta(0), timedelta(days=1)),
        st.floats(0, 10),
        st.none() | st.timedeltas(timedelta(0), timedelta(days=1)),
    ),
)


def test_the_value_as_people_see_it() -> None:
    assert VALUE == {
        "interruptible": True,
        "capacity": "spot",
        "user_retries": 2,
        "system_retries": 3,
        "system_retry_delay": 10.0,
        "compute": {"name": "queue", "spot": "a", "on_demand": "b"},
    }


@given(markers)
def test_what_is_written_is_read_back(marker: Marker) -> None:
    assert Marker.from_config(pickle.loads(pickle.dumps(marker.to_config({})))) == marker


def test_the_author_s_own_keys_survive() -> None:
    theirs = {"pod_override": object(), "other": 1}
    assert {**MARKER.to_config(theirs), **theirs} == MARKER.to_config(theirs)
    assert KEY not in theirs


def test_a_marker_replaces_an_older_one() -> None:
    assert MARKER.to_config({KEY: {"capacity": "on-demand"}}) == MARKER.to_config({})


@pytest.mark.parametrize("config", [None, {}, [], "x", {"other": 1}, {KEY: None}, {KEY: True}, {KEY: "spot"}])
def test_no_marker_is_none(config: object) -> None:
    assert Marker.from_config(config) is None


@pytest.mark.parametrize("key", [key for key in VALUE if key != "compute"])
def test_a_marker_with_a_hole_is_none_of_ours(key: str) -> None:
    assert Marker.from_config({KEY: {k: v for k, v in VALUE.items() if k != key}}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity": "cheap"},
        {"user_retries": -1},
        {"user_retries": "2"},
        {"system_retries": None},
        {"system_retry_delay": "soon"},
        {"system_retry_delay": float("nan")},
        {"system_retry_delay": float("inf")},
        {"system_retry_delay": -1},
        {"system_retry_delay": 10**9},
        {"user_retries": 10**12},
        {"system_retries": 1_000_000},
        {"user_retries": True},
        {"retry_exponential_backoff": "x", "retry_delay": 1, "max_retry_delay": None},
        {"retry_exponential_backoff": float("nan"), "retry_delay": 1, "max_retry_delay": None},
        {"retry_exponential_backoff": 2.0, "retry_delay": [], "max_retry_delay": None},
        {"retry_exponential_backoff": 2.0},
    ],
)
def test_a_marker_with_nonsense_is_none_of_ours(wrong: dict[str, Any]) -> None:
    assert Marker.from_config({KEY: {**VALUE, **wrong}}) is None


@pytest.mark.parametrize("executor", ["LocalExecutor", "CeleryExecutor", "KubernetesExecutor", "a.b.EdgeExecutor", ""])
def test_most_executors_leave_unknown_keys_alone(executor: str) -> None:
    assert tolerated_by(executor)


@pytest.mark.parametrize(
    "executor",
    ["AwsEcsExecutor", "airflow.providers.amazon.aws.executors.ecs.AwsEcsExecutor", "x.batch.AwsBatchExecutor"],
)
def test_amazon_s_do_not(executor: str) -> None:
    assert not tolerated_by(executor)


class AwsEcsExecutor:
    """Stands for Amazon's."""


class TeamExecutor(AwsEcsExecutor):
    """A team's own, by its own name."""


class PlainExecutor:
    """A team's own, made of something else."""


def test_a_subclass_of_theirs_does_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "team", sys.modules[__name__])
    assert not tolerated_by("team.TeamExecutor")
    assert tolerated_by("team.PlainExecutor")


@pytest.mark.parametrize("executor", ["x.TeamEcsExecutor", "json.NoSuchExecutor"])
def test_one_that_cannot_be_asked_may_be_one_of_theirs(executor: str) -> None:
    assert not tolerated_by(executor)


@pytest.mark.parametrize(
    "configured",
    [
        "LocalExecutor, cloud:airflow.providers.amazon.aws.executors.ecs.AwsEcsExecutor",
        "LocalExecutor;team_a=CeleryExecutor,cloud:airflow.providers.amazon.aws.executors.ecs.AwsEcsExecutor",
    ],
)
def test_nor_do_they_by_another_name(monkeypatch: pytest.MonkeyPatch, configured: str) -> None:
    """A marker in their executor_config would keep such a task from ever starting."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", configured)
    assert not tolerated_by("cloud")
    assert tolerated_by("LocalExecutor")
    assert tolerated_by(None)


@pytest.mark.parametrize("executor", ["ecs.ecs_executor.AwsEcsExecutor", "batch.batch_executor.AwsBatchExecutor"])
def test_they_are_still_called_that(executor: str) -> None:
    module, _, name = f"airflow.providers.amazon.aws.executors.{executor}".rpartition(".")
    assert hasattr(pytest.importorskip(module), name)
