# SPDX-License-Identifier: Apache-2.0
"""Whether an attempt may go on with a pod that an earlier one launched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.worker.launched_pods import Fitness, earlier_pods, where_is

k8s = pytest.importorskip("kubernetes.client.models")

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


class Nodes:
    """An API that knows one node, or forbids the question."""

    def __init__(self, *names: str, forbidden: bool = False) -> None:
        self.names, self.forbidden = names, forbidden

    def read_node(self, name: str, *, _request_timeout: float) -> None:
        if self.forbidden or name not in self.names:
            error = Exception()
            error.status = 403 if self.forbidden else 404  # type: ignore[attr-defined]
            raise error


def made(
    phase: str,
    *conditions: Any,
    on: str | None = "spot",
    node: str | None = "n1",
    deleted: str | None = None,
) -> Any:
    """A pod that asked for spot, unless told otherwise, and is on a node that exists."""
    labels = {} if on is None else {LABEL: on}
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="p", namespace="ns", labels=labels, deletion_timestamp=deleted),
        spec=k8s.V1PodSpec(containers=[], node_name=node),
        status=k8s.V1PodStatus(phase=phase, conditions=list(conditions) or None),
    )


def judge(made: Any, capacity: CapacityType | None = ON_DEMAND, client: Any = None) -> Fitness:
    return Fitness.of(made, capacity, client or Nodes("n1"))


DISRUPTED = k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI")
SPARED = k8s.V1PodCondition(type="DisruptionTarget", status="False")


@pytest.mark.parametrize("capacity", [SPOT, ON_DEMAND, None])
def test_a_pod_that_runs_is_gone_on_with_wherever_it_runs(capacity: CapacityType | None) -> None:
    assert judge(made("Running"), capacity) == Fitness()
    assert judge(made("Running", SPARED), capacity) == Fitness()
    assert judge(made("Running", on=None), capacity) == Fitness()


@pytest.mark.parametrize(
    ("ended", "ending"),
    [
        (made("Running", deleted="2026-01-01T12:00:00Z"), True),
        (made("Running", DISRUPTED), True),
        (made("Running", node="lost"), True),
        (made("Failed"), False),
    ],
)
def test_a_pod_that_ends_or_has_ended_is_not(ended: Any, ending: bool) -> None:
    fitness = judge(ended, SPOT)
    assert fitness.why_not
    assert (fitness.ending, fitness.may_still_start) == (ending, False)


def test_one_that_succeeded_is_left_to_airflow() -> None:
    assert judge(made("Succeeded", node="lost")) == Fitness()


def test_one_that_waits_for_another_capacity_would_start_later() -> None:
    assert judge(made("Pending", node=None), SPOT) == Fitness()
    assert judge(made("Pending", node=None, on=None), ON_DEMAND) == Fitness()
    assert judge(made("Pending", node=None), None) == Fitness()
    fitness = judge(made("Pending", node=None), ON_DEMAND)
    assert fitness == Fitness("it has not started, and waits on spot", may_still_start=True)


def test_who_may_not_ask_about_nodes_takes_them_for_present() -> None:
    assert judge(made("Running", node="lost"), client=Nodes(forbidden=True)) == Fitness()


@pytest.mark.parametrize(("labels", "index"), [({"map_index": "3"}, "map_index=3"), ({}, "!map_index")])
def test_the_pods_of_one_task_instance_are_told_by_the_labels_of_the_request(labels: Any, index: str) -> None:
    asked = []

    def listed(namespace: str, *, label_selector: str, _request_timeout: float) -> Any:
        asked.append((namespace, label_selector))
        return SimpleNamespace(items=["a pod"])

    whose = {"dag_id": "d", "task_id": "t", "run_id": "r", "kubernetes_pod_operator": "True", "try_number": "2"}
    metadata = k8s.V1ObjectMeta(namespace="ns", labels={**whose, **labels, "team": "data"})
    client = SimpleNamespace(list_namespaced_pod=listed)
    assert earlier_pods(client, k8s.V1Pod(metadata=metadata), "done") == ["a pod"]
    selector = f"dag_id=d,task_id=t,run_id=r,{index},kubernetes_pod_operator=True,done!=True,!airflow-worker"
    assert asked == [("ns", selector)]


def test_where_a_pod_is() -> None:
    assert where_is(made("Pending", node=None)) == {"launched_pod": "p", "launched_namespace": "ns"}
    assert where_is(made("Running"))["launched_node"] == "n1"
