# SPDX-License-Identifier: Apache-2.0
"""The real operator, its real client and an API that takes nodes away: what is told of each end, from both sides."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_api import KubernetesCluster, Settings
from kubernetes_api.stack import connection
from waiting import until

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.remote import evidence_of, look_back

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("airflow.providers.cncf.kubernetes")

FOR_EVER = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Any]:
    with KubernetesCluster(Settings(pod_gc_quarantine=0.2)) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The cluster, and the connection that leads there."""
    for name, value in connection(shared_cluster).items():
        monkeypatch.setenv(name, value)
    return shared_cluster


@pytest.fixture
def node(cluster: Any) -> Iterator[str]:
    """A spot node of a name of its own, as in every cluster: its events outlive it."""
    name = f"spot-{uuid.uuid4().hex[:8]}"
    cluster.add_node(name, preset="karpenter-spot")
    yield name
    if any(found["metadata"]["name"] == name for found in cluster.get("/api/v1/nodes")["items"]):
        cluster.remove_node(name)


def failure_of(cluster: Any, script: str, disrupt: Any, **arguments: Any) -> tuple[Any, BaseException, dict[str, Any]]:
    """Run a pod by a KubernetesPodOperator, end it by ``disrupt(pod)``, and return what the operator is left with."""
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    operator = KubernetesPodOperator(
        task_id="work",
        name="work",
        namespace="default",
        image="busybox",
        cmds=["sh", "-c", script],
        get_logs=False,
        termination_grace_period=1,
        startup_check_interval_seconds=1,
        base_container_status_polling_interval=0.1,
        **arguments,
    )
    ti = SimpleNamespace(dag_id="d", task_id="work", run_id="r", map_index=-1, try_number=1)
    context: Any = {
        "ti": SimpleNamespace(**vars(ti), xcom_push=lambda **_: None, start_date=datetime.now(timezone.utc)),
        "run_id": "r",
        "dag": SimpleNamespace(),
    }

    def end() -> None:
        running = until(lambda: [pod for pod in cluster.pods() if pod["status"].get("phase") == "Running"])
        disrupt(running[0]["metadata"]["name"])

    thread = threading.Thread(target=end, daemon=True)
    if disrupt is not None:
        thread.start()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the operator has many ways to fail
        operator.execute(context)
    return operator, raised.value, context


@pytest.mark.parametrize(
    ("how", "rules"),
    [
        ("shutdown", ("k8s/kubelet-shutdown-on-spot",)),
        ("taint", ("k8s/taint-manager", "k8s/event-node")),
        ("eviction", ("k8s/evicted-by-api", "eks/taint-disrupted")),
    ],
)
def test_a_reclaimed_node(how: str, rules: tuple[str, ...], cluster: Any, node: str, judged: Any) -> None:
    """The operator polls, so it may see the pod's last state, or only that it is gone."""
    failed = failure_of(cluster, FOR_EVER, lambda _: cluster.reclaim(node, how=how, notice=30))
    assert judged(evidence_of(*failed)).rule in rules


@pytest.mark.usefixtures("node")
def test_the_authors_own_exit(cluster: Any, judged: Any) -> None:
    assert judged(evidence_of(*failure_of(cluster, "exit 3", None))).rule == "k8s/own-exit"


@pytest.mark.usefixtures("node")
def test_the_containers_own_memory(cluster: Any, judged: Any) -> None:
    assert judged(evidence_of(*failure_of(cluster, FOR_EVER, cluster.oom))).rule == "k8s/oom"


@pytest.mark.usefixtures("node")
def test_a_pod_that_a_person_deleted_is_not_the_platforms(cluster: Any, judged: Any) -> None:
    failed = failure_of(cluster, FOR_EVER, lambda name: cluster.delete_pod(name, grace=0))
    assert judged(evidence_of(*failed)).cause.charge.value != "system"


def run_pod(cluster: Any, name: str) -> None:
    from kubernetes import client, config

    container = {"name": "base", "image": "busybox", "command": ["sh", "-c", FOR_EVER]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
    api.create_namespaced_pod("default", {"metadata": {"name": name}, "spec": spec})
    until(lambda: state_of(cluster, name) == "Running")


def state_of(cluster: Any, name: str) -> str | None:
    found = cluster.pods(fieldSelector=f"metadata.name={name}")
    return found[0]["status"].get("phase") if found else None


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ("shutdown", "k8s/kubelet-shutdown-on-spot"),
        ("taint", "eks/taint-spot"),
        ("eviction", "eks/taint-disrupted"),
    ],
)
def test_looking_back_at_a_worker_pod(how: str, rule: str, cluster: Any, node: str, judged: Any) -> None:
    """A pod that was drained leaves neither itself nor an event; its node is still there to tell."""
    name = f"worker-{how}"
    run_pod(cluster, name)
    since = datetime.now(timezone.utc).replace(microsecond=0).isoformat()
    where = {"pod": name, "namespace": "default", "node": node}
    assert look_back(where, CapacityType.SPOT, since=since) is None

    cluster.reclaim(node, how=how, notice=30)
    until(lambda: state_of(cluster, name) in (None, "Failed"))
    answer = judged(look_back(where, CapacityType.SPOT, since=since))
    assert (answer and answer.rule) == rule
