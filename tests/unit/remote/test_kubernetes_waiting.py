# SPDX-License-Identifier: Apache-2.0
"""Pods that wait for a node, on a real API with the real client; and what of the provider's is relied on."""

from __future__ import annotations

import json
import queue
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote import kubernetes_waiting as pods

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("airflow.providers.cncf.kubernetes")
kubernetes_api = pytest.importorskip("kubernetes_api")

SCHEDULER = 7
ON_SPOT = {LABEL: "spot"}
EVERY_POD_OF_IT = f"airflow-worker={SCHEDULER}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster without a spot node."""
    settings = kubernetes_api.Settings(autoscaler="cluster-autoscaler")
    with kubernetes_api.KubernetesCluster(settings) as cluster:
        cluster.add_node("on-demand", preset="karpenter-on-demand")
        yield cluster


@pytest.fixture(scope="module")
def api(cluster: Any) -> Any:
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


@pytest.fixture(autouse=True)
def _executor_settings(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__CONFIG_FILE", str(cluster.kubeconfig))
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__IN_CLUSTER", "False")
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE", "default")


@pytest.fixture
def launch(api: Any) -> Iterator[Any]:
    """``launch(...)``: a pod as KubernetesExecutor's, that asks for what there is not."""
    names = []

    def create(*, selector: str = "spot", image: str = "i", **labels: str) -> str:
        name = f"work-{uuid.uuid4().hex[:8]}"
        names.append(name)
        mine = {"kubernetes_executor": "True", "airflow-worker": str(SCHEDULER), **ON_SPOT, **labels}
        spec = {
            "restartPolicy": "Never",
            "nodeSelector": {"karpenter.sh/capacity-type": selector},
            "containers": [{"name": "base", "image": image, "command": ["sleep", "60"]}],
        }
        notes = {"dag_id": "d", "task_id": "t", "run_id": "r", "try_number": "1"}
        api.create_namespaced_pod(
            "default", {"metadata": {"name": name, "labels": mine, "annotations": notes}, "spec": spec}
        )
        return name

    yield create
    for pod in api.list_namespaced_pod("default").items:
        if pod.metadata.name in names:
            api.delete_namespaced_pod(pod.metadata.name, "default", grace_period_seconds=0)


def waiting(api: Any) -> dict[str, pods.WaitingPod]:
    return {pod.name: pod for pod in pods.waiting(api, "default", SCHEDULER, ON_SPOT)}


def until_refused(api: Any, name: str) -> pods.WaitingPod:
    from airflow_interruptible.testing.polling import wait_until

    found = wait_until(
        lambda: waiting(api),
        lambda found: bool(found[name].status.get("conditions")),
        what="the scheduler's word",
        timeout=20,
    )
    return found[name]


def test_only_pods_without_a_node_wait(api: Any, launch: Any) -> None:
    """One whose image cannot be pulled has its node; another scheduler's, or one on demand, is not asked for."""
    name = launch()
    for _ in launch(selector="on-demand", image="bad/image"), launch(**{"airflow-worker": "8", LABEL: "on-demand"}):
        pass
    until_refused(api, name)
    assert set(waiting(api)) == {name}


def test_a_pod_is_told_with_its_try(api: Any, launch: Any) -> None:
    pod = until_refused(api, launch())
    assert pod.annotations == {"dag_id": "d", "task_id": "t", "run_id": "r", "try_number": "1"}
    assert pod.created is not None
    assert not pod.done


def test_the_scheduler_s_word_is_no_capacity(api: Any, launch: Any) -> None:
    why = pods.why(until_refused(api, launch()))
    assert (why.cause, why.rule) == (Cause.NO_CAPACITY, "k8s/unschedulable-on-spot")


@pytest.mark.parametrize(
    "condition",
    [
        {"status": "False", "reason": "SchedulingGated", "message": "Scheduling is blocked"},
        {"status": "False", "reason": "Unschedulable", "message": 'persistentvolumeclaim "data" not found'},
        {"status": "True"},
    ],
)
def test_waiting_for_something_else_is_not(condition: dict[str, str]) -> None:
    status = {"conditions": [{"type": "PodScheduled", **condition}]}
    assert pods.why(pods.WaitingPod("n", "ns", "u", "1", None, {}, status)).cause is not Cause.NO_CAPACITY


def test_a_pod_nobody_has_looked_at_yet_waits_for_nothing() -> None:
    assert pods.why(pods.WaitingPod("n", "ns", "u", "1", None, {}, {})).cause is Cause.UNKNOWN


def test_the_autoscaler_has_its_say(api: Any, launch: Any) -> None:
    said = pods.autoscaler_says(api, until_refused(api, launch()))
    assert said is not None
    assert said.startswith("NotTriggerScaleUp: pod didn't trigger scale-up")


def test_an_autoscaler_that_may_not_be_asked_is_silent() -> None:
    assert pods.autoscaler_says(None, pods.WaitingPod("n", "ns", "u", "1", None, {}, {})) is None


def test_a_taken_pod_leaves_the_executor_s_watch_and_is_gone(api: Any, cluster: Any, launch: Any) -> None:
    """The executor sees it leave without having been deleted, which is how another scheduler's adoption looks."""
    pod = until_refused(api, launch())
    seen = cluster.pods("default", labelSelector=EVERY_POD_OF_IT)
    assert pods.take(api, pod)
    assert pod.name not in {each["metadata"]["name"] for each in cluster.pods("default")}
    events = cluster.text(
        "/api/v1/namespaces/default/pods",
        watch="true",
        timeoutSeconds="1",
        resourceVersion=max((each["metadata"]["resourceVersion"] for each in seen), key=int),
        labelSelector=f"{EVERY_POD_OF_IT},airflow_executor_done!=True",
    )
    told = [json.loads(line) for line in events.splitlines()]
    ((kind, gone),) = [
        (one["type"], one["object"]) for one in told if one["object"]["metadata"].get("name") == pod.name
    ]
    assert kind == "DELETED"
    assert "deletionTimestamp" not in gone["metadata"]


def test_a_pod_that_has_found_its_node_is_left_alone(api: Any, cluster: Any, launch: Any) -> None:
    pod = until_refused(api, launch())
    cluster.add_node("spot-at-last", preset="karpenter-spot")
    try:
        from airflow_interruptible.testing.polling import wait_until

        wait_until(lambda: waiting(api), lambda found: pod.name not in found, what="a node", timeout=20)
        assert not pods.take(api, pod)
        (left,) = [each for each in cluster.pods("default") if each["metadata"]["name"] == pod.name]
        assert "airflow_executor_done" not in left["metadata"]["labels"]
        assert "deletionTimestamp" not in left["metadata"]
    finally:
        cluster.remove_node("spot-at-last")


def test_what_was_begun_is_finished(api: Any, cluster: Any, launch: Any) -> None:
    """The label is there, but the process ended before it could delete the pod."""
    name = launch(airflow_executor_done="True")
    pod = until_refused(api, name)
    assert pod.done
    assert pods.take(api, pod)
    assert name not in {each["metadata"]["name"] for each in cluster.pods("default")}


def test_a_pod_that_somebody_else_deleted_is_gone_for_good(api: Any, launch: Any) -> None:
    pod = until_refused(api, launch())
    api.delete_namespaced_pod(pod.name, "default", grace_period_seconds=0)
    assert pods.take(api, pod)


def test_what_the_api_refuses_is_raised() -> None:
    class Forbidden(Exception):
        status = 403

    def refuse(*_: Any, **__: Any) -> None:
        raise Forbidden

    api = SimpleNamespace(patch_namespaced_pod=refuse, delete_namespaced_pod=refuse)
    with pytest.raises(Forbidden):
        pods.take(api, pods.WaitingPod("n", "ns", "u", "1", None, {}, {}))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["default"]),
        ({"MULTI_NAMESPACE_MODE": "True"}, [None]),
        ({"MULTI_NAMESPACE_MODE": "True", "MULTI_NAMESPACE_MODE_NAMESPACE_LIST": "a, b"}, ["a", "b"]),
    ],
)
def test_the_executor_s_namespaces(
    options: dict[str, str], expected: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__KUBERNETES_EXECUTOR__{name}", value)
    assert list(pods.namespaces()) == expected


def test_every_namespace_is_one_request(api: Any, launch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = launch()
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__MULTI_NAMESPACE_MODE", "True")
    assert name in waiting(pods.client())


# -- what of the provider's is relied on


def test_the_executor_labels_and_annotates_its_pods_as_we_know() -> None:
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from kubernetes.client import models as k8s

    base = k8s.V1Pod(metadata=k8s.V1ObjectMeta(), spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base")]))
    pod = PodGenerator.construct_pod(
        dag_id="d", task_id="t", pod_id="p", try_number=2, kube_image="i", date=None, args=[], run_id="r", map_index=3,
        pod_override_object=None, base_worker_pod=base, namespace="ns", scheduler_job_id="7",
    )  # fmt: skip
    labels, notes = pod.metadata.labels, pod.metadata.annotations
    assert (labels["airflow-worker"], labels["kubernetes_executor"]) == ("7", "True")
    assert (notes["dag_id"], notes["task_id"], notes["run_id"]) == ("d", "t", "r")
    assert (notes["try_number"], notes["map_index"]) == ("2", "3")


def test_the_executor_frees_the_slot_of_a_pod_that_leaves_its_watch() -> None:
    """What ``process_status`` makes of a pod that left without having been deleted."""
    from airflow.providers.cncf.kubernetes.executors.kubernetes_executor import KubernetesExecutor
    from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_types import ADOPTED, KubernetesResults
    from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_utils import KubernetesJobWatcher
    from kubernetes.client import models as k8s

    told: queue.Queue[Any] = queue.Queue()
    watcher = KubernetesJobWatcher("ns", told, None, "7", SimpleNamespace())  # type: ignore[arg-type]
    pod = k8s.V1Pod(metadata=k8s.V1ObjectMeta(labels={}), status=k8s.V1PodStatus(phase="Pending"))
    watcher.process_status("p", "ns", "Pending", {}, "1", {"type": "DELETED", "object": pod})
    assert told.get_nowait().state == ADOPTED

    key = ("d", "t", "r", 1, -1)
    executor = SimpleNamespace(
        kube_scheduler=None, supports_task_instance_uuid=False, pod_launch_attempts={key: object()}, running={key},
        event_buffer={}, log=None,
    )  # fmt: skip
    results = KubernetesResults(key, ADOPTED, "p", "ns", "1", None)  # type: ignore[arg-type]
    KubernetesExecutor._change_state.__wrapped__(executor, results, session=None)  # type: ignore[attr-defined]
    assert (executor.running, executor.pod_launch_attempts, executor.event_buffer) == (set(), {}, {})


def test_what_another_scheduler_left_half_taken_is_found(api: Any, launch: Any) -> None:
    mine, other, done = str(SCHEDULER), str(SCHEDULER - 1), {pods._done_key(): "True"}
    name = launch(**{"airflow-worker": other, **done})
    launch(**{"airflow-worker": mine, **done})
    launch(**{"airflow-worker": other})
    (left,) = pods.left_over(api, "default", SCHEDULER, ON_SPOT)
    assert left.name == name
    assert pods.delete(api, left)
    assert not pods.left_over(api, None, SCHEDULER, ON_SPOT)
