# SPDX-License-Identifier: Apache-2.0
"""The unmodified KubernetesExecutor and KubernetesPodOperator run, and lose their nodes, on our Kubernetes API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kubernetes_api import KubernetesCluster, Settings
from kubernetes_api.stack import connection, executor_section
from waiting import PATIENCE

from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.testing import SpotLab
    from tests.e2e.conftest import StartLab

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DAGS = Path(__file__).parent.parent / "kubernetes_api_tests" / "dags"
NAMESPACE = "airflow"
LONG = 120
POD_TEMPLATE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "replaced", "namespace": NAMESPACE},
    "spec": {"restartPolicy": "Never", "containers": [{"name": "base", "image": "airflow:test"}]},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesCluster]:
    with KubernetesCluster(Settings(namespaces=[NAMESPACE])) as cluster:
        cluster.add_node("on-demand-1", preset="gke-on-demand")
        yield cluster


@pytest.fixture(scope="module")
def lab(cluster: KubernetesCluster, start_lab: StartLab) -> SpotLab:
    lab = start_lab(
        DAGS,
        executor="KubernetesExecutor",
        triggerer=True,
        config={"kubernetes_executor": executor_section(cluster, NAMESPACE, POD_TEMPLATE)},
        env=connection(cluster),
    )
    cluster.set_image_env(lab.stack.env)
    return lab


@pytest.fixture
def spot_node(cluster: KubernetesCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A spot node of the test's own."""
    name = f"spot-{request.node.name.translate(str.maketrans('_[]', '---')).strip('-')}"
    cluster.add_node(name, preset="gke-spot")
    yield name
    cluster.remove_node(name)


def wait_until_at_work(cluster: KubernetesCluster, node: str, pods: int = 1) -> list[str]:
    """Wait until pods on a node have written that they are at work, and return their names."""

    def at_work() -> list[str]:
        running = cluster.pods(NAMESPACE, fieldSelector=f"spec.nodeName={node},status.phase=Running")
        names = [pod["metadata"]["name"] for pod in running]
        return [name for name in names if "at work" in cluster.logs(name, NAMESPACE)]

    return wait_until(at_work, lambda names: len(names) == pods, what=f"{pods} pods to be at work", timeout=PATIENCE)


def reasons(cluster: KubernetesCluster) -> set[str]:
    return {event["reason"] for event in cluster.get(f"/api/v1/namespaces/{NAMESPACE}/events")["items"]}


def test_executor_runs_a_pod_where_the_override_says(lab: SpotLab, cluster: KubernetesCluster, spot_node: str) -> None:
    run = lab.trigger("executor_smoke")
    assert lab.client.wait_for_run(run).state == "success"
    events = cluster.get(f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
    assert any(event["message"].endswith(f"to {spot_node}") for event in events)


@pytest.mark.parametrize("how", ["shutdown", "eviction", "taint", "abrupt"])
def test_executor_sees_a_reclaimed_node(lab: SpotLab, cluster: KubernetesCluster, spot_node: str, how: str) -> None:
    run = lab.trigger("executor_smoke", conf={"seconds": LONG})
    wait_until_at_work(cluster, spot_node)
    cluster.reclaim(spot_node, how=how, notice=1)
    lab.client.wait_for_state(run, "work", "queued", try_number=2)
    wait_until(
        lambda: reasons(cluster), lambda seen: "FailedScheduling" in seen, what="a search for a node", timeout=PATIENCE
    )
    lab.client.fail_run(run)
    lab.client.wait_for_run(run)


def test_operators_run_sync_and_deferrable(lab: SpotLab, spot_node: str) -> None:
    run = lab.trigger("operator_smoke", conf={"seconds": 3})
    assert lab.client.wait_for_run(run).state == "success"
    for task_id in ("sync", "deferrable"):
        assert "at work" in lab.client.logs(run, task_id, 1)


def test_operators_see_a_reclaimed_node(lab: SpotLab, cluster: KubernetesCluster, spot_node: str) -> None:
    run = lab.trigger("operator_smoke", conf={"seconds": LONG})
    wait_until_at_work(cluster, spot_node, pods=2)
    cluster.reclaim(spot_node, how="shutdown", notice=1)
    for task_id in ("sync", "deferrable"):
        assert lab.client.wait_for_state(run, task_id, ("queued", "running"), try_number=2)
    lab.client.fail_run(run)
    lab.client.wait_for_run(run)
