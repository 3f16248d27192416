# SPDX-License-Identifier: Apache-2.0
"""Pods of the executor on our Kubernetes API: deleted, ended, without a node; and those that only seem so."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_api import KubernetesCluster, Settings
from kubernetes_api.stack import connection
from waiting import until

from airflow_interruptible.remote.presence import pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("airflow.providers.cncf.kubernetes")

FOR_EVER = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with KubernetesCluster(Settings(pod_gc_quarantine=3600)) as cluster:
        yield cluster


@pytest.fixture
def api(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The executor's client."""
    from airflow.providers.cncf.kubernetes import kube_client
    from kubernetes import client, config

    for name, value in connection(cluster).items():
        monkeypatch.setenv(name, value)
    api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
    monkeypatch.setattr(kube_client, "get_kube_client", lambda: api)
    return api


@pytest.fixture
def begin(api: Any, cluster: Any) -> Callable[..., tuple[str, str]]:
    """``begin()``: a worker pod at work on a node of its own; returns both names."""

    def start(script: str = FOR_EVER, phase: str = "Running") -> tuple[str, str]:
        name, node = f"w-{uuid.uuid4().hex[:6]}", f"n-{uuid.uuid4().hex[:6]}"
        cluster.add_node(node, preset="karpenter-spot", labels={"mine": node})
        spec = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": {"mine": node},
            "containers": [{"name": "base", "image": "b", "command": ["sh", "-c", script]}],
        }
        metadata = {"name": name, "labels": {"kubernetes_executor": "True"}}
        api.create_namespaced_pod("default", {"metadata": metadata, "spec": spec})
        until(lambda: api.read_namespaced_pod(name, "default").status.phase == phase)
        return name, node

    return start


@pytest.fixture
def proved(api: Any, life: Any) -> Callable[..., list[str]]:
    """``proved(pod, ...)``: what is said of the attempts in these pods."""

    def look(*names: str, executor: str = "KubernetesExecutor") -> list[str]:
        lives = {name: life(executor, pod=name, namespace="default") for name in names}
        return [proof.what for _, proof in pods.gone(lives)]

    return look


def test_deleted_ended_and_at_work(api: Any, begin: Any, proved: Any) -> None:
    (deleted, _), (failed, _), (at_work, _) = begin(), begin("exit 3", "Failed"), begin()
    api.delete_namespaced_pod(deleted, "default", grace_period_seconds=0)
    until(lambda: deleted not in [pod.metadata.name for pod in api.list_namespaced_pod("default").items])
    assert sorted(proved(deleted, failed, at_work)) == sorted([f"its pod {deleted}", f"its pod {failed}"])


def test_a_pod_whose_node_object_is_gone(api: Any, begin: Any, proved: Any) -> None:
    name, node = begin()
    api.delete_node(node)
    assert proved(name) == [f"its node {node}"]


def test_a_node_that_does_not_report_proves_nothing(cluster: Any, begin: Any, proved: Any) -> None:
    name, node = begin()
    cluster.reclaim(node, how="abrupt", notice=3600)
    until(lambda: cluster.get(f"/api/v1/nodes/{node}")["spec"].get("taints"))
    assert proved(name) == []


def test_a_node_that_may_not_be_read_costs_no_other_its_proof(
    api: Any, begin: Any, proved: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.client import ApiException

    def refused(*_: Any, **__: Any) -> Any:
        raise ApiException(status=403, reason="Forbidden")

    (at_work, _), (failed, _) = begin(), begin("exit 3", "Failed")
    monkeypatch.setattr(api, "read_node", refused)
    assert proved(at_work, failed) == [f"its pod {failed}"]


def test_other_executors_may_run_in_other_clusters(proved: Any) -> None:
    assert proved("somewhere-else", executor="CeleryExecutor") == []
