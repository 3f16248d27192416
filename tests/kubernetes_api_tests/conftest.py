# SPDX-License-Identifier: Apache-2.0
"""One cluster for all tests, emptied after each; the official client; and waiting with a deadline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config
from kubernetes_api import KubernetesCluster, Settings
from kubernetes_api_tests.pods import SPACE, log_of, shell_pod

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes_api_tests.pods import InPhase, RunPod, T, Until

PATIENCE = 60.0


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[KubernetesCluster]:
    settings = Settings(namespaces=["other"], pull_backoff=0.1, pod_gc_quarantine=0.2)
    with KubernetesCluster(settings) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: KubernetesCluster, v1: client.CoreV1Api) -> Iterator[KubernetesCluster]:
    yield shared_cluster
    shared_cluster.hold_scheduling(False)
    shared_cluster.set_autoscaler(None)
    for capacity in ("spot", "on-demand"):
        shared_cluster.set_capacity(capacity, None)
    for pod in v1.list_pod_for_all_namespaces().items:
        v1.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0)
    for event in v1.list_event_for_all_namespaces().items:
        v1.delete_namespaced_event(event.metadata.name, event.metadata.namespace)
    for node in v1.list_node().items:
        shared_cluster.remove_node(node.metadata.name)


@pytest.fixture
def node(cluster: KubernetesCluster) -> str:
    """A plain node."""
    cluster.add_node("node-1")
    return "node-1"


@pytest.fixture(scope="session")
def v1(shared_cluster: KubernetesCluster) -> client.CoreV1Api:
    """The official client, configured as everybody does."""
    return client.CoreV1Api(config.new_client_from_config(str(shared_cluster.kubeconfig)))


@pytest.fixture
def run_pod(v1: client.CoreV1Api, cluster: KubernetesCluster) -> RunPod:
    """Create a pod that runs a shell script."""

    def run(name: str, script: str = "true", **spec: Any) -> client.V1Pod:
        return v1.create_namespaced_pod(SPACE, shell_pod(name, script, **spec))

    return run


@pytest.fixture
def until() -> Until:
    def wait(look: Callable[[], T], good: Callable[[T], object] = bool) -> T:
        return wait_until(look, good, what="it to come true", timeout=PATIENCE, interval=0.02)

    return wait


@pytest.fixture
def in_phase(v1: client.CoreV1Api, until: Until) -> InPhase:
    """Wait until a pod is in a phase, and return it."""
    return lambda name, phase: until(lambda: v1.read_namespaced_pod(name, SPACE), lambda pod: pod.status.phase == phase)


@pytest.fixture
def at_work(v1: client.CoreV1Api, in_phase: InPhase, until: Until) -> Callable[[str], None]:
    """Wait until a pod has written that it is ready."""

    def wait(name: str) -> None:
        in_phase(name, "Running")
        until(lambda: log_of(v1, name), lambda log: "ready" in log)

    return wait


@pytest.fixture
def last_seen(shared_cluster: KubernetesCluster, v1: client.CoreV1Api) -> Callable[[str, str], dict[str, Any]]:
    """The last state of a pod that has gone, replayed from a version before."""

    def find(name: str, version: str) -> dict[str, Any]:
        answer = v1.api_client.rest_client.pool_manager.request(
            "GET",
            f"{shared_cluster.url}/api/v1/namespaces/{SPACE}/pods?watch=true&timeoutSeconds=1&resourceVersion={version}"
            f"&fieldSelector=metadata.name={name}",
        )
        events = [json.loads(line) for line in answer.data.splitlines()]
        assert events[-1]["type"] == "DELETED"
        return dict(events[-1]["object"])

    return find
