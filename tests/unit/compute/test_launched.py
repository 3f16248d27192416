# SPDX-License-Identifier: Apache-2.0
"""Which operators launch work elsewhere, and what a ``compute`` argument says about it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_interruptible.compute import ComputeChoice
from airflow_interruptible.compute.launched import LAUNCHERS, PODS, launcher_of, split
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.settings import Settings

TAINT = {"spot": {"tolerations": [{"key": "team", "operator": "Exists"}]}}
QUEUES = {"spot": "a", "on_demand": "b"}


@pytest.mark.parametrize(
    "name",
    [
        "cncf.kubernetes.operators.pod.KubernetesPodOperator",
        "cncf.kubernetes.decorators.kubernetes._KubernetesDecoratedOperator",
        "amazon.aws.operators.eks.EksPodOperator",
        "google.cloud.operators.kubernetes_engine.GKEStartPodOperator",
    ],
)
def test_what_launches_pods(name: str) -> None:
    module, _, operator = name.rpartition(".")
    assert launcher_of(getattr(pytest.importorskip(f"airflow.providers.{module}"), operator)) is PODS


@pytest.mark.parametrize(
    "name",
    [
        "cncf.kubernetes.operators.job.KubernetesJobOperator",
        "cncf.kubernetes.operators.spark_kubernetes.SparkKubernetesOperator",
        "google.cloud.operators.kubernetes_engine.GKEStartJobOperator",
    ],
)
def test_what_leaves_its_pods_to_a_controller(name: str) -> None:
    module, _, operator = name.rpartition(".")
    assert launcher_of(getattr(pytest.importorskip(f"airflow.providers.{module}"), operator)) is None


def test_most_operators_launch_nothing() -> None:
    assert launcher_of(EmptyOperator) is None
    assert split(None, "karpenter", Settings()) == ("karpenter", None)


@pytest.mark.parametrize("path", LAUNCHERS)
def test_every_operator_in_the_table_exists(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert hasattr(pytest.importorskip(module), name)


@pytest.mark.parametrize(
    ("settings", "launch"),
    [
        ({}, None),
        ({"compute": "queue", "compute_options": QUEUES}, None),
        ({"compute": "karpenter"}, ComputeChoice("karpenter")),
        ({"compute": "karpenter", "compute_options": TAINT}, ComputeChoice("karpenter", TAINT)),
        ({"compute": "karpenter", "pod_compute_options": TAINT}, ComputeChoice("karpenter", TAINT)),
        ({"compute": "karpenter", "compute_options": TAINT, "pod_compute": "gke"}, ComputeChoice("gke")),
        ({"compute": "karpenter", "compute_options": TAINT, "pod_compute": "none"}, None),
        ({"compute": "queue", "compute_options": QUEUES, "pod_compute": "gke"}, ComputeChoice("gke")),
    ],
)
def test_where_pods_go_if_the_task_says_nothing(settings: dict[str, Any], launch: ComputeChoice | None) -> None:
    assert split(PODS, None, Settings(**settings)) == (None, launch)


@pytest.mark.parametrize(
    ("argument", "rest", "launch"),
    [
        ("gke", None, ComputeChoice("gke")),
        ("karpenter", None, ComputeChoice("karpenter", TAINT)),
        ({"name": "kubernetes", **TAINT}, None, ComputeChoice("kubernetes", TAINT)),
        ("none", "none", ComputeChoice("karpenter", TAINT)),
        ({"name": "queue", **QUEUES}, {"name": "queue", **QUEUES}, ComputeChoice("karpenter", TAINT)),
    ],
)
def test_an_argument_is_about_the_pod_or_about_the_airflow_task(argument: Any, rest: Any, launch: Any) -> None:
    settings = Settings(compute="karpenter", compute_options=TAINT)
    assert split(PODS, argument, settings) == (rest, launch)


def test_what_cannot_place_a_pod_is_refused() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"pod_compute in section interruptible of airflow.cfg is 'queue', which cannot place a pod",
    ):
        split(PODS, None, Settings(pod_compute="queue"))


def test_a_kind_with_a_default_needs_no_setting() -> None:
    ecs = LAUNCHERS["airflow.providers.amazon.aws.operators.ecs.EcsRunTaskOperator"]
    pair = {"spot": "cheap", "on_demand": "sure"}
    assert split(ecs, None, Settings()) == (None, ComputeChoice("ecs"))
    assert split(ecs, None, Settings(launched={"ecs": pair})) == (None, ComputeChoice("ecs", pair))
    assert split(ecs, None, Settings(launched={"ecs": "none"})) == (None, None)
    assert split(ecs, None, Settings(compute="ecs", compute_options=pair)) == (None, ComputeChoice("ecs", pair))
    assert split(ecs, {"name": "ecs", **pair}, Settings(launched={"ecs": "none"})) == (None, ComputeChoice("ecs", pair))
    assert split(ecs, "queue", Settings()) == ("queue", ComputeChoice("ecs"))


def test_pods_are_a_kind_of_work_as_well() -> None:
    assert split(PODS, None, Settings(launched={"pods": "gke"}, pod_compute="eks")) == (None, ComputeChoice("gke"))
    named = {"pods": {"name": "karpenter", **TAINT}}
    assert split(PODS, None, Settings(launched=named)) == (None, ComputeChoice("karpenter", TAINT))


@pytest.mark.parametrize(
    ("launched", "said"),
    [
        ({"esc": {}}, "speaks of 'esc', which is no kind of work. Did you mean 'ecs'"),
        ({"ecs": 3}, "says 3 of ecs. Write a JSON object"),
        ({"ecs": "karpenter"}, "is 'karpenter', which cannot place ecs"),
    ],
)
def test_what_cannot_be_meant_by_launched(launched: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        split(
            LAUNCHERS["airflow.providers.amazon.aws.operators.ecs.EcsRunTaskOperator"],
            None,
            Settings(launched=launched),
        )
