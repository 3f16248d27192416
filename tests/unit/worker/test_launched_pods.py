# SPDX-License-Identifier: Apache-2.0
"""How far the pods of earlier attempts are, and what they run on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import EarlierWork, WorkState
from airflow_interruptible.worker.launched_pods import earlier_pods, where_is, work_of

k8s = pytest.importorskip("kubernetes.client.models")

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


class Nodes:
    """An API that knows one node, or forbids the question."""

    def __init__(self, *names: str, forbidden: bool = False, **labels: str) -> None:
        self.names, self.forbidden, self.labels = names, forbidden, labels

    def read_node(self, name: str, *, _request_timeout: float) -> Any:
        if self.forbidden or name not in self.names:
            error = Exception()
            error.status = 403 if self.forbidden else 404  # type: ignore[attr-defined]
            raise error
        return k8s.V1Node(metadata=k8s.V1ObjectMeta(labels=self.labels))


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


def work(made: Any, client: Any = None) -> EarlierWork:
    return work_of(made, client or Nodes("n1"))


DISRUPTED = k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI")
SPARED = k8s.V1PodCondition(type="DisruptionTarget", status="False")


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        (made("Running"), WorkState.AT_WORK),
        (made("Running", SPARED), WorkState.AT_WORK),
        (made("Pending"), WorkState.WAITING),
        (made("Pending", node=None), WorkState.WAITING),
        (made("Unknown"), WorkState.UNSEEN),
        (made("Running", deleted="2026-01-01T12:00:00Z"), WorkState.ENDING),
        (made("Running", DISRUPTED), WorkState.ENDING),
        (made("Pending", DISRUPTED), WorkState.ENDING),
        (made("Running", node="lost"), WorkState.OVER),
        (made("Running", node="lost", deleted="2026-01-01T12:00:00Z"), WorkState.OVER),
        (made("Failed"), WorkState.OVER),
        (made("Failed", deleted="2026-01-01T12:00:00Z"), WorkState.OVER),
        (made("Succeeded", node="lost"), WorkState.OVER),
    ],
)
def test_how_far_a_pod_is(pod: Any, state: WorkState) -> None:
    found = work(pod)
    assert (found.state, found.capacity) == (state, SPOT)
    assert bool(found.because) == (state not in (WorkState.AT_WORK, WorkState.WAITING))


def test_it_runs_on_what_its_node_is_and_else_on_what_it_asked_for() -> None:
    on_demand = Nodes("n1", **{"eks.amazonaws.com/capacityType": "ON_DEMAND"})
    assert work(made("Running"), on_demand).capacity is ON_DEMAND
    assert work(made("Running", on=None), on_demand).capacity is ON_DEMAND
    assert work(made("Running"), Nodes("n1", pool="mine")).capacity is SPOT
    assert work(made("Running", on=None)).capacity is None
    assert work(made("Pending", node=None), on_demand).capacity is SPOT


def test_who_may_not_ask_about_nodes_takes_them_for_present() -> None:
    assert work(made("Running", node="lost"), Nodes(forbidden=True)) == EarlierWork(WorkState.AT_WORK, SPOT)


@pytest.mark.parametrize(("labels", "index"), [({"map_index": "3"}, "map_index=3"), ({}, "!map_index")])
def test_the_pods_of_one_task_instance_are_told_by_the_labels_of_the_request(labels: Any, index: str) -> None:
    asked = []

    def listed(namespace: str, *, label_selector: str, _request_timeout: float) -> Any:
        asked.append((namespace, label_selector))
        return SimpleNamespace(items=["a pod"])

    whose = {"dag_id": "d", "task_id": "t", "run_id": "r", "kubernetes_pod_operator": "True", "try_number": "2"}
    metadata = k8s.V1ObjectMeta(namespace="ns", labels={**whose, **labels, "team": "data"})
    client = SimpleNamespace(list_namespaced_pod=listed)
    assert earlier_pods(client, k8s.V1Pod(metadata=metadata)) == ["a pod"]
    selector = f"dag_id=d,task_id=t,run_id=r,{index},kubernetes_pod_operator=True,!airflow-worker"
    assert asked == [("ns", selector)]


def test_where_a_pod_is() -> None:
    assert where_is(made("Pending", node=None)) == {"launched_pod": "p", "launched_namespace": "ns"}
    assert where_is(made("Running"))["launched_node"] == "n1"
