# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F811 - pytest finds fixtures by the names of arguments
"""What is said of a pod is said of the right one: its container, its node, its time. The real client and an API."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timezone
from typing import Any

import pytest
from unit.remote.test_kubernetes_cluster import FOR_EVER, cluster, failure_of, shared_cluster, state_of  # noqa: F401
from waiting import until

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.remote import evidence_of, look_back

k8s = pytest.importorskip("kubernetes.client.models")
pytest.importorskip("airflow.providers.cncf.kubernetes")

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def api(cluster: Any) -> Any:
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


def now() -> datetime:
    return datetime.now(timezone.utc)


def container(name: str, script: str) -> dict[str, Any]:
    return {"name": name, "image": "b", "command": ["sh", "-c", script]}


def add_node(cluster: Any, preset: str) -> str:
    node = f"n-{uuid.uuid4().hex[:6]}"
    cluster.add_node(node, preset=preset, labels={"mine": node})
    return node


def begin(cluster: Any, preset: str, *more: dict[str, Any]) -> tuple[str, dict[str, str], str]:
    """A worker pod of one attempt on a node of its own; returns the pod, and what ``look_back`` is given."""
    name, node = f"w-{uuid.uuid4().hex[:6]}", add_node(cluster, preset)
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "nodeSelector": {"mine": node},
        "containers": [container("base", FOR_EVER), *more],
    }
    api(cluster).create_namespaced_pod("default", {"metadata": {"name": name}, "spec": spec})
    until(lambda: state_of(cluster, name) == "Running")
    return name, {"pod": name, "namespace": "default", "node": node}, now().replace(microsecond=0).isoformat()


def code_of(cluster: Any, pod: str, of: str) -> int | None:
    """The exit code of a container that has ended."""
    (found,) = cluster.pods(fieldSelector=f"metadata.name={pod}")
    (status,) = (one for one in found["status"].get("containerStatuses", ()) if one["name"] == of)
    code: int | None = status["state"].get("terminated", {}).get("exitCode")
    return code


def test_a_node_that_died_silently_is_evidence_before_its_pods_are_evicted(cluster: Any, judged: Any) -> None:
    """The machine is off, its Node is Ready Unknown and tainted, its pod still says that it runs."""
    name, where, since = begin(cluster, "karpenter-on-demand")
    assert look_back(where, ON_DEMAND, since=since) is None
    cluster.reclaim(where["node"], how="abrupt", notice=60)
    until(lambda: cluster.get(f"/api/v1/nodes/{where['node']}")["spec"].get("taints"))
    assert state_of(cluster, name) == "Running"
    answer = judged(look_back(where, ON_DEMAND, since=since))
    assert answer.rule == "k8s/node-unknown"
    assert answer.cause.charge.value == "system"


@pytest.mark.parametrize("shutdown", [False, True])
def test_a_sidecar_s_memory_is_not_the_attempt_s(cluster: Any, judged: Any, shutdown: bool) -> None:
    name, where, since = begin(cluster, "karpenter-spot", container("side", FOR_EVER))
    cluster.oom(name, container="side")
    until(lambda: code_of(cluster, name, "side") == 137)
    if shutdown:
        cluster.reclaim(where["node"], how="shutdown", notice=30)
        until(lambda: state_of(cluster, name) in (None, "Failed"))
    answer = judged(look_back(where, SPOT, since=since))
    assert (answer and answer.rule) == ("k8s/kubelet-shutdown-on-spot" if shutdown else None)


def test_nor_is_its_crash_the_end_of_a_pod_that_an_operator_launched(cluster: Any, judged: Any) -> None:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    name, _, since = begin(cluster, "karpenter-spot", container("side", "exit 1"))
    until(lambda: code_of(cluster, name, "side") == 1)
    task = KubernetesPodOperator(task_id="w", name="w", namespace="default", image="b")
    where = {"launched_pod": name, "launched_namespace": "default"}
    assert state_of(cluster, name) == "Running"
    assert judged(look_back(where, SPOT, since=since, task=task)).rule == "airflow/work-outlived-worker"


def with_sidecar(node: str) -> Any:
    """A pod whose own container may end long before the pod does."""
    side = k8s.V1Container(name="side", image="b", command=["sh", "-c", FOR_EVER])
    containers = [k8s.V1Container(name="base", image="b"), side]
    selector = {"kubernetes.io/hostname": node}
    return k8s.V1Pod(spec=k8s.V1PodSpec(restart_policy="Never", node_selector=selector, containers=containers))


def test_an_error_of_the_author_s_before_a_drain_is_the_author_s(cluster: Any, judged: Any) -> None:
    node = add_node(cluster, "karpenter-spot")

    def drain(_: str) -> None:
        def ended() -> bool:
            names = [pod["metadata"]["name"] for pod in cluster.pods() if pod["spec"].get("nodeName") == node]
            return any(code_of(cluster, name, "base") == 3 for name in names)

        until(ended)
        time.sleep(3)  # the operator polls every two seconds, and times in Kubernetes are whole ones
        cluster.reclaim(node, how="eviction", notice=30)

    failed = failure_of(cluster, "sleep 1; exit 3", drain, full_pod_spec=with_sidecar(node))
    answer = judged(evidence_of(*failed))
    assert (answer.rule, answer.cause.charge.value) == ("k8s/own-exit", "user")


@pytest.mark.parametrize("back", [True, False])
def test_a_node_that_was_away_for_a_moment_ended_nothing(cluster: Any, judged: Any, back: bool) -> None:
    name, where, since = begin(cluster, "karpenter-on-demand")
    event = {
        "metadata": {"name": f"e-{name}", "namespace": "default"},
        "type": "Warning",
        "reason": "NodeNotReady",
        "message": "Node is not ready",
        "involvedObject": {"kind": "Pod", "name": name, "namespace": "default"},
        "firstTimestamp": now().isoformat(),
        "lastTimestamp": now().isoformat(),
        "source": {"component": "node-controller"},
    }
    api(cluster).create_namespaced_event("default", event)
    if not back:
        cluster.reclaim(where["node"], how="abrupt", notice=60)
        until(lambda: cluster.get(f"/api/v1/nodes/{where['node']}")["spec"].get("taints"))
    cluster.delete_pod(name, grace=0)
    until(lambda: state_of(cluster, name) is None)
    answer = judged(look_back(where, ON_DEMAND, since=since))
    assert (answer and answer.rule) == (None if back else "k8s/event-node")


def test_the_pod_of_an_earlier_attempt_says_nothing_of_this_one(cluster: Any, judged: Any) -> None:
    """It has the same name, was kept after its own was reclaimed, and is in the way of a new one."""
    node = add_node(cluster, "karpenter-spot")
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "nodeSelector": {"mine": node},
        "containers": [container("base", FOR_EVER)],
    }
    api(cluster).create_namespaced_pod("default", {"metadata": {"name": "work"}, "spec": spec})
    until(lambda: state_of(cluster, "work") == "Running")
    cluster.reclaim(node, how="shutdown", notice=60)
    until(lambda: state_of(cluster, "work") == "Failed")
    created = cluster.pods(fieldSelector="metadata.name=work")[0]["metadata"]["creationTimestamp"]
    until(lambda: now().replace(microsecond=0) > datetime.fromisoformat(created.replace("Z", "+00:00")))
    failed = failure_of(cluster, "true", None, random_name_suffix=False, durable=False)
    failed[0].pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="work", namespace="default"))  # as our launcher sets it
    answer = judged(evidence_of(*failed))
    assert answer is None or answer.cause.charge.value != "system"
