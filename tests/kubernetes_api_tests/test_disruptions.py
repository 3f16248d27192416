# SPDX-License-Identifier: Apache-2.0
"""What each disruption leaves: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, watch
from kubernetes.client.rest import ApiException
from kubernetes_api import KubernetesError
from kubernetes_api_tests.pods import SPACE, InPhase, conditions

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_api import KubernetesCluster
    from kubernetes_api_tests.pods import RunPod, Until

OBEDIENT = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
SHUTDOWN = "Pod was terminated in response to imminent node shutdown."


class Victim:
    """A pod at work on the node, and what is seen of its end."""

    def __init__(self, v1: client.CoreV1Api, until: Until, last_seen: Callable[..., Any], version: str) -> None:
        self._v1, self._until, self._last_seen, self._version = v1, until, last_seen, version

    def wait_until_gone(self) -> dict[str, Any]:
        """Wait until the pod is deleted, and return it as it was last."""
        self._until(lambda: self._v1.list_namespaced_pod(SPACE).items, lambda pods: not pods)
        return dict(self._last_seen("a", self._version))

    def last_disruption(self) -> tuple[str, str] | None:
        found = [each for each in self.wait_until_gone()["status"]["conditions"] if each["type"] == "DisruptionTarget"]
        return (found[0]["reason"], found[0]["message"]) if found else None


@pytest.fixture
def victim(
    *,
    v1: client.CoreV1Api,
    node: str,
    run_pod: RunPod,
    at_work: Callable[[str], None],
    until: Until,
    last_seen: Callable[..., Any],
) -> Victim:
    created = run_pod("a", OBEDIENT)
    at_work("a")
    return Victim(v1, until, last_seen, created.metadata.resource_version)


def node_is_gone(v1: client.CoreV1Api) -> bool:
    return not v1.list_node().items


def test_graceful_node_shutdown_leaves_a_failed_pod(
    *, v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, victim: Victim, in_phase: InPhase, until: Until
) -> None:
    assert cluster.reclaim(node, how="shutdown", notice=1) == ["a"]
    pod = in_phase("a", "Failed")
    assert (pod.status.reason, pod.status.message) == ("Terminated", SHUTDOWN)
    assert conditions(pod)["DisruptionTarget"] == ("True", "TerminationByKubelet", SHUTDOWN)
    assert pod.status.container_statuses[0].state.terminated.exit_code == 0
    assert pod.metadata.deletion_timestamp is None
    ready = next(each for each in v1.read_node(node).status.conditions if each.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "KubeletNotReady")
    until(lambda: node_is_gone(v1))
    assert victim.last_disruption() == ("TerminationByKubelet", SHUTDOWN)


def test_a_watcher_sees_the_end_of_a_pod_and_its_reason_at_once(
    v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, victim: Victim, in_phase: InPhase
) -> None:
    """KubernetesExecutor takes the first word of a failed pod, and the kubelet reports both in one."""
    start = v1.list_namespaced_pod(SPACE).metadata.resource_version
    cluster.reclaim(node, how="shutdown", notice=5)
    in_phase("a", "Failed")
    seen = watch.Watch().stream(v1.list_namespaced_pod, SPACE, timeout_seconds=1, resource_version=start)
    failed = [event["object"].status for event in seen if event["object"].status.phase == "Failed"]
    assert failed
    assert {status.reason for status in failed} == {"Terminated"}
    assert all(any(each.type == "DisruptionTarget" for each in status.conditions) for status in failed)


def test_a_pod_being_ended_by_its_kubelet_says_nothing_until_it_has_ended(
    *, v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, run_pod: RunPod, at_work: Any, in_phase: InPhase
) -> None:
    run_pod("a", STUBBORN)
    at_work("a")
    cluster.reclaim(node, how="shutdown", notice=30)
    pod = v1.read_namespaced_pod("a", SPACE)
    assert pod.status.phase == "Running"
    assert "DisruptionTarget" not in conditions(pod)
    assert in_phase("a", "Failed").status.container_statuses[0].state.terminated.exit_code == 137


def test_a_machine_that_is_off_before_the_pod_has_ended(
    *,
    v1: client.CoreV1Api,
    cluster: KubernetesCluster,
    node: str,
    run_pod: RunPod,
    at_work: Any,
    last_seen: Any,
    until: Until,
) -> None:
    created = run_pod("a", STUBBORN, terminationGracePeriodSeconds=60)
    at_work("a")
    cluster.reclaim(node, how="eviction", notice=0.3)
    until(lambda: v1.list_namespaced_pod(SPACE).items, lambda pods: not pods)
    pod = last_seen("a", created.metadata.resource_version)
    assert pod["status"]["phase"] == "Failed"
    assert "running" in pod["status"]["containerStatuses"][0]["state"]  # nobody was left to report its end
    reasons = [each["reason"] for each in pod["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    assert reasons == ["DeletionByPodGC"]


def test_taint_manager(cluster: KubernetesCluster, v1: client.CoreV1Api, node: str, victim: Victim) -> None:
    cluster.reclaim(node, how="taint", notice=20)
    expected = ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    assert victim.last_disruption() == expected
    assert [each.effect for each in v1.read_node(node).spec.taints] == ["NoExecute", "NoSchedule"]


def test_a_no_execute_taint_spares_those_who_tolerate_it(
    v1: client.CoreV1Api, node: str, run_pod: RunPod, at_work: Any, until: Until
) -> None:
    tolerations = {"ever": {}, "while": {"tolerationSeconds": 1}}
    for name, more in tolerations.items():
        toleration = {"key": "x", "operator": "Exists", "effect": "NoExecute", **more}
        run_pod(name, OBEDIENT, tolerations=[toleration])
        at_work(name)
    began = time.monotonic()
    v1.patch_node(node, {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}})
    left = until(
        lambda: [pod.metadata.name for pod in v1.list_namespaced_pod(SPACE).items], lambda names: len(names) < 2
    )
    assert left == ["ever"]
    assert time.monotonic() - began > 0.9


def test_eviction_api(v1: client.CoreV1Api, victim: Victim) -> None:
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name="a", namespace=SPACE))
    v1.create_namespaced_pod_eviction("a", SPACE, body)
    assert victim.last_disruption() == ("EvictionByEvictionAPI", "Eviction API: evicting")


def test_drain(v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, victim: Victim) -> None:
    cluster.drain(node)
    assert victim.last_disruption() == ("EvictionByEvictionAPI", "Eviction API: evicting")
    assert v1.read_node(node).spec.unschedulable is True


def test_a_node_that_vanishes(v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, victim: Victim) -> None:
    cluster.reclaim(node, how="abrupt", notice=0.5)
    pod = v1.read_namespaced_pod("a", SPACE)
    assert pod.status.phase == "Running"
    assert "DisruptionTarget" not in conditions(pod)
    ready = next(each for each in v1.read_node(node).status.conditions if each.type == "Ready")
    assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
    with pytest.raises(ApiException) as error:
        v1.read_namespaced_pod_log("a", SPACE)
    assert error.value.status == 500
    assert victim.last_disruption() == ("DeletionByPodGC", "PodGC: node no longer exists")


def test_preemption_by_the_scheduler(v1: client.CoreV1Api, cluster: KubernetesCluster, victim: Victim) -> None:
    cluster.preempt("a")
    expected = ("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod")
    assert victim.last_disruption() == expected
    assert v1.list_namespaced_event(SPACE, field_selector="reason=Preempted").items


@pytest.mark.parametrize("over_request", [False, True])
def test_node_pressure(cluster: KubernetesCluster, victim: Victim, in_phase: InPhase, over_request: bool) -> None:
    cluster.evict_by_pressure("a", resource="memory", over_request=over_request)
    pod = in_phase("a", "Failed")
    assert pod.status.reason == "Evicted"
    assert pod.status.message.startswith("The node was low on resource: memory. Threshold quantity: 100Mi, available: ")
    assert ("has larger consumption of memory" in pod.status.message) is over_request
    assert conditions(pod)["DisruptionTarget"] == ("True", "TerminationByKubelet", pod.status.message)


def test_a_person_leaves_no_condition(cluster: KubernetesCluster, victim: Victim) -> None:
    cluster.delete_pod("a")
    assert victim.last_disruption() is None


def test_a_new_node_of_the_same_name_is_not_taken(
    v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, run_pod: RunPod, in_phase: InPhase
) -> None:
    cluster.reclaim(node, how="eviction", notice=0.3)
    cluster.remove_node(node)
    cluster.add_node(node)
    run_pod("a", "sleep 0.6")
    in_phase("a", "Succeeded")


def test_a_pod_that_has_ended_is_not_disrupted_any_more(
    v1: client.CoreV1Api, cluster: KubernetesCluster, node: str, run_pod: RunPod, in_phase: InPhase
) -> None:
    run_pod("done")
    in_phase("done", "Succeeded")
    assert cluster.reclaim(node, how="shutdown", notice=30) == []
    assert v1.read_namespaced_pod("done", SPACE).status.phase == "Succeeded"


def test_what_the_control_api_does_not_know(cluster: KubernetesCluster, node: str) -> None:
    for wrong in (
        lambda: cluster.add_node("x", preset="nimbus"),
        lambda: cluster.reclaim(node, how="politely"),
        lambda: cluster.reclaim("nowhere"),
        lambda: cluster.oom("nobody"),
        lambda: cluster.set_autoscaler("nimbus"),
    ):
        with pytest.raises(KubernetesError):
            wrong()
