# SPDX-License-Identifier: Apache-2.0
"""Everything that can happen to a pod or a node that nobody asked for over the Kubernetes API.

Each is done by the component that does it in a real cluster, with its reason and its message:
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
The messages are in https://github.com/kubernetes/kubernetes: ``pkg/registry/core/pod/storage/eviction.go``,
``pkg/scheduler/framework/preemption/executor.go``, ``pkg/kubelet/eviction/helpers.go``.

Surprising: three of the four ways a cloud takes a node leave other traces, and the fourth none until the node is gone.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING

from kubernetes_api.events import Message
from kubernetes_api.nodes import node_key
from kubernetes_api.objects import Object, dig, is_terminal, pod_key
from kubernetes_api.pod_status import set_condition
from kubernetes_api.pod_worker import Ruling
from kubernetes_api.registry import delete_pod, disrupt_pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_api.events import Recorder
    from kubernetes_api.kubelet import Kubelets
    from kubernetes_api.store import Store

_HARD_EVICTION_GRACE = 1.0
"""``immediateEvictionGracePeriodSeconds``: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/eviction/eviction_manager.go."""

NOTICE_TAINT = {"key": "aws-node-termination-handler/spot-itn", "value": "notice", "effect": "NoExecute"}
"""What AWS's handler taints a reclaimed node with, when told ``taintEffect: NoExecute``.

https://github.com/aws/aws-node-termination-handler/blob/main/config/helm/aws-node-termination-handler/README.md
"""

DRAIN_TAINT = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
"""https://karpenter.sh/docs/concepts/disruption/#termination-controller."""


CORDON_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
"""https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-unschedulable."""


class Reclaim(str, Enum):
    """How a cloud takes a node, and what its cluster makes of the notice.

    SHUTDOWN: graceful node shutdown by the kubelet, as on GKE: pods end as Failed, reason Terminated.
    TAINT: the node gets a NoExecute taint, and the taint manager deletes its pods.
    EVICTION: the node is drained through the eviction API, as by Karpenter, EKS node groups and ``kubectl drain``.
    ABRUPT: no notice: the machine is gone, and its pods are collected once the node object is.
    """

    SHUTDOWN = "shutdown"
    TAINT = "taint"
    EVICTION = "eviction"
    ABRUPT = "abrupt"


class Disruptions:
    """What the outside can do to the cluster."""

    def __init__(self, store: Store, recorder: Recorder, kubelets: Kubelets) -> None:
        self._store, self._recorder, self._kubelets = store, recorder, kubelets
        self._begin: dict[Reclaim, Callable[[str, float], None]] = {
            Reclaim.SHUTDOWN: self._shut_down,
            Reclaim.TAINT: lambda node, _: self._taint(node),
            Reclaim.EVICTION: lambda node, _: self.drain(node),
            Reclaim.ABRUPT: lambda node, _: self._vanish(node),
        }

    def reclaim(self, node: str, how: Reclaim, notice: float) -> list[str]:
        """Take a node away, and return the names of the pods that were on it.

        :param notice: seconds until the machine is off, whatever still runs, and its node object is deleted. ABRUPT has
            the machine off at once.
        """
        uid = self._store.get(node_key(node))["metadata"]["uid"]
        hit = [pod["metadata"]["name"] for pod in self._running_on(node)]
        self._begin[how](node, notice)
        asyncio.get_running_loop().call_later(notice, self._take, node, uid)
        return hit

    def remove_node(self, node: str) -> None:
        """Switch a machine off and delete its node object; harmless when that has happened."""
        self._kubelets.power_off(node)
        if self._store.find(node_key(node)) is not None:
            self._store.delete(node_key(node))

    def _take(self, node: str, uid: str) -> None:
        """Take the machine whose notice is over, and not another that has its name by now."""
        there = self._store.find(node_key(node))
        if there is not None and there["metadata"]["uid"] == uid:
            self.remove_node(node)

    def drain(self, node: str) -> None:
        """Cordon a node and evict its pods through the eviction API."""
        self._store.modify(node_key(node), lambda it: _add_taints(it, DRAIN_TAINT, cordon=True))
        for pod in self._running_on(node):
            self.evict(pod)

    def evict(self, pod: Object, grace: float | None = None) -> None:
        """What the eviction API does; a pod that has ended is only deleted.

        https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
        """
        if is_terminal(pod):
            delete_pod(self._store, pod, grace)
        else:
            disrupt_pod(self._store, pod, "EvictionByEvictionAPI", "Eviction API: evicting", grace)

    def preempt(self, pod: Object) -> None:
        """Let the scheduler make room for a pod of higher priority.

        https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
        """
        scheduler = pod["spec"]["schedulerName"]
        text = f"Preempted by pod 00000000-0000-0000-0000-000000000000 on node {pod['spec'].get('nodeName', '')}"
        self._recorder.record(pod, Message(scheduler, "Preempted", text))
        why = f"{scheduler}: preempting to accommodate a higher priority pod"
        disrupt_pod(self._store, pod, "PreemptionByScheduler", why)

    def evict_by_pressure(self, pod: Object, resource: str, *, over_request: bool) -> None:
        """Let the kubelet end a pod because its node runs low on something.

        https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/

        :param over_request: whether the pod itself used more than it had asked for; the message then says so.
        """
        message = f"The node was low on resource: {resource}. Threshold quantity: 100Mi, available: 84568Ki. "
        if over_request:
            container = pod["spec"]["containers"][0]["name"]
            message += f"Container {container} was using 7Gi, request is 1Gi, has larger consumption of {resource}. "
        self._recorder.record(pod, Message("kubelet", "Evicted", message, "Warning"))
        self._kubelets.evict(pod, Ruling("Evicted", message, message), _HARD_EVICTION_GRACE)

    def out_of_memory(self, pod: Object, container: str | None) -> None:
        """Let a container use more memory than its limit."""
        self._kubelets.out_of_memory(pod, container)

    def delete_by_person(self, pod: Object, grace: float | None) -> None:
        """``kubectl delete pod``, which leaves no condition at all."""
        delete_pod(self._store, pod, grace)

    def _shut_down(self, node: str, notice: float) -> None:
        self._not_ready(node, "False", "KubeletNotReady", "node is shutting down", "node.kubernetes.io/not-ready")
        self._kubelets.shut_down(node, notice)

    def _taint(self, node: str) -> None:
        self._store.modify(node_key(node), lambda it: _add_taints(it, NOTICE_TAINT, cordon=True))

    def _vanish(self, node: str) -> None:
        self._kubelets.power_off(node)
        message = "Kubelet stopped posting node status."
        self._not_ready(node, "Unknown", "NodeStatusUnknown", message, "node.kubernetes.io/unreachable")

    def _not_ready(self, node: str, value: str, reason: str, message: str, taint: str) -> None:
        """What the node lifecycle controller makes of a node that is not ready.

        https://kubernetes.io/docs/reference/node/node-status/#condition
        """

        def change(it: Object) -> None:
            set_condition(it["status"], "Ready", value, reason, message)
            _add_taints(it, *({"key": taint, "effect": effect} for effect in ("NoSchedule", "NoExecute")))

        tainted = self._store.modify(node_key(node), change)
        text = f"Node {node} status is now: NodeNotReady"
        self._recorder.record(tainted, Message("node-controller", "NodeNotReady", text))

    def _running_on(self, node: str) -> list[Object]:
        pods = self._store.all("pods")
        return [pod for pod in pods if dig(pod, "spec", "nodeName") == node and not is_terminal(pod)]

    def pod(self, namespace: str, name: str) -> Object:
        """A pod by its name.

        :raises ApiError: 404.
        """
        return self._store.get(pod_key({"metadata": {"namespace": namespace, "name": name}}))


def _add_taints(node: Object, *taints: dict[str, str], cordon: bool = False) -> None:
    """Add taints; a cordon is a flag and, by the node lifecycle controller, a taint."""
    spec = node["spec"]
    wanted = [*taints, *([CORDON_TAINT] if cordon else [])]
    there = spec.get("taints") or []
    spec["taints"] = [*there, *(taint for taint in wanted if taint not in there)]
    if cordon:
        spec["unschedulable"] = True
