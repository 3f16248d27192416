# SPDX-License-Identifier: Apache-2.0
"""The unmodified KubernetesExecutor puts each attempt on the nodes it belongs to, and survives the loss of those nodes.

Spot nodes carry the taint that GKE recommends, so nothing lands on them that does not tolerate it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.contract.play import TASK, attempts, rest_capacities
from kubernetes_api import KubernetesCluster, Settings

from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_interruptible.testing import DagRun, SpotLab

pytestmark = pytest.mark.e2e

NAMESPACE = "airflow"
SPOT_TAINT = {"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NoSchedule"}
BIG = {"size": "big"}
POD_TEMPLATE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "replaced", "namespace": NAMESPACE, "labels": {"template": "ours"}},
    "spec": {"restartPolicy": "Never", "containers": [{"name": "base", "image": "airflow:test"}]},
}
PROBE = {"key": "template", "operator": "Exists"}
POD_TEMPLATE["spec"]["tolerations"] = [PROBE]  # type: ignore[index]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesCluster]:
    """One node that stays, and spot nodes that the tests add and take away."""
    with KubernetesCluster(Settings(namespaces=[NAMESPACE])) as cluster:
        cluster.add_node("on-demand-1", preset="gke-on-demand", labels=BIG)
        yield cluster


@pytest.fixture(scope="module")
def lab(cluster: KubernetesCluster, start_lab: Callable[..., SpotLab]) -> SpotLab:
    """A stack whose only executor is KubernetesExecutor, and whose only word about nodes is ``compute = gke``."""
    template = cluster.home / "pod_template.json"
    template.write_text(json.dumps(POD_TEMPLATE))
    executor = {
        "namespace": NAMESPACE,
        "pod_template_file": template,
        "worker_container_repository": "airflow",
        "worker_container_tag": "test",
        "in_cluster": False,
        "config_file": cluster.kubeconfig,
        "worker_pods_creation_batch_size": 16,
        "delete_worker_pods": False,
    }
    lab = start_lab(
        Path(__file__).parent / "dags",
        executor="KubernetesExecutor",
        config={
            "kubernetes_executor": executor,
            "scheduler": {"task_instance_heartbeat_timeout": 10},
            "interruptible": {"compute": "gke", "system_retry_delay": 0.5},
        },
    )
    cluster.set_image_env(lab.stack.env)
    return lab


@pytest.fixture
def spot_nodes(cluster: KubernetesCluster, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The names that this test gave to its spot nodes."""
    names = [
        f"spot-{request.node.name.translate(str.maketrans('_[]', '---')).strip('-')}-{number}" for number in (1, 2)
    ]
    yield names
    present = {node["metadata"]["name"] for node in cluster.get("/api/v1/nodes")["items"]}
    for name in present & set(names):
        cluster.remove_node(name)


def add_spot_node(cluster: KubernetesCluster, name: str) -> None:
    cluster.add_node(name, preset="gke-spot", labels=BIG, taints=[SPOT_TAINT])


def pod_of(cluster: KubernetesCluster, run: DagRun, number: int) -> dict[str, Any]:
    """The pod of a try."""
    pods = cluster.pods(NAMESPACE, labelSelector=f"dag_id={run.dag_id},try_number={number}")
    (pod,) = [pod for pod in pods if pod["metadata"]["annotations"]["run_id"] == run.run_id]
    return pod


def seen(pod: dict[str, Any]) -> tuple[str, str]:
    """What the pod says it is on, and the node it is on."""
    return pod["metadata"]["labels"][LABEL], pod["spec"]["nodeName"]


def test_the_last_user_attempt_runs_on_demand(lab: SpotLab, cluster: KubernetesCluster, spot_nodes: list[str]) -> None:
    """The REST API's tries, the pods' labels, their nodes and our own command line agree."""
    add_spot_node(cluster, spot_nodes[0])
    run = lab.trigger("on_nodes", conf={"script": {"1": "error", "2": "error"}})
    assert lab.client.wait_for_run(run, timeout=120).state == "success"
    pods = [pod_of(cluster, run, number) for number in (1, 2, 3)]
    assert [seen(pod) for pod in pods] == [("spot", spot_nodes[0])] * 2 + [("on-demand", "on-demand-1")]
    assert rest_capacities(lab, run) == ["spot", "spot", "on-demand"]
    assert [row["capacity"] for row in attempts(lab, run)] == ["spot", "spot", "on-demand"]
    for pod in pods:
        assert PROBE in pod["spec"]["tolerations"], "what the pod template says is still there"
        assert pod["metadata"]["labels"]["template"] == "ours"


def test_the_author_s_pod_survives_both_capacities(
    lab: SpotLab, cluster: KubernetesCluster, spot_nodes: list[str]
) -> None:
    add_spot_node(cluster, spot_nodes[0])
    run = lab.trigger("own_pod", conf={"script": {"1": "error"}})
    assert lab.client.wait_for_run(run, timeout=120).state == "success"
    pods = [pod_of(cluster, run, number) for number in (1, 2)]
    assert [seen(pod) for pod in pods] == [("spot", spot_nodes[0]), ("on-demand", "on-demand-1")]
    for pod in pods:
        required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (term,) = required["nodeSelectorTerms"]
        assert {"key": "size", "operator": "In", "values": ["big"]} in term["matchExpressions"]
        assert {"key": "big", "operator": "Exists"} in pod["spec"]["tolerations"]
        assert {"name": "OWN", "value": "yes"} in pod["spec"]["containers"][0]["env"]
        assert pod["metadata"]["labels"]["team"] == "data"
    spot, on_demand = (pod["spec"]["tolerations"] for pod in pods)
    assert [item for item in spot if item not in on_demand] == [{**SPOT_TAINT, "operator": "Equal"}]


@pytest.mark.parametrize("how", ["shutdown", "taint", "abrupt"])
def test_a_reclaimed_node_is_forgiven(
    lab: SpotLab, cluster: KubernetesCluster, spot_nodes: list[str], how: str
) -> None:
    """The next attempt is on the next spot node, and no user retry was spent."""
    first, second = spot_nodes
    add_spot_node(cluster, first)
    run = lab.trigger("on_nodes", conf={"script": {"1": "wait"}})
    lab.wait_until_running(run, TASK, timeout=60)
    pod = pod_of(cluster, run, 1)
    name = pod["metadata"]["name"]
    wait_until(
        lambda: cluster.logs(name, NAMESPACE), lambda log: "try 1 plays" in log, what="the task's own code", timeout=60
    )
    assert seen(pod) == ("spot", first)
    add_spot_node(cluster, second)
    cluster.reclaim(first, how=how, notice=3)
    assert lab.client.wait_for_run(run, timeout=120).state == "success"
    lost, done = attempts(lab, run)
    assert (lost["capacity"], lost["charge"]) == ("spot", "system")
    assert (done["capacity"], done["user_retries_left"], done["system_retries_left"]) == ("spot", 2, 2)
    assert seen(pod_of(cluster, run, 2)) == ("spot", second)
    assert rest_capacities(lab, run) == ["spot", "spot"]
