# SPDX-License-Identifier: Apache-2.0
"""Binds pods to nodes, or says why it cannot, as kube-scheduler and the autoscalers do.

https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/

Surprising: the reasons in ``0/3 nodes are available: ...`` are counted and then sorted as text.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from kubernetes_api.events import Message
from kubernetes_api.nodes import capacity_of
from kubernetes_api.objects import Object, dig, is_terminal, pod_key
from kubernetes_api.placement import why_not
from kubernetes_api.pod_status import mark_scheduled, mark_unschedulable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubernetes_api.events import Recorder
    from kubernetes_api.settings import Settings
    from kubernetes_api.store import Store

NO_NODES = "no nodes available to schedule pods"

AUTOSCALERS: Mapping[str, Message] = {
    # https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#what-events-are-emitted-by-ca
    "cluster-autoscaler": Message(
        "cluster-autoscaler", "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached"
    ),
    # https://cloud.google.com/kubernetes-engine/docs/troubleshooting/cluster-autoscaler-scale-up
    "gke": Message(
        "cluster-autoscaler",
        "FailedScaleUp",
        "Node scale up in zones us-central1-a associated with this pod failed: GCE out of resources. "
        "Pod is at risk of not being scheduled.",
        "Warning",
    ),
    # https://karpenter.sh/docs/troubleshooting/ and "Failed to schedule pod" in
    # https://github.com/kubernetes-sigs/karpenter/blob/main/pkg/controllers/provisioning/scheduling/events.go
    "karpenter": Message(
        "karpenter",
        "FailedScheduling",
        'Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={"cpu":"150m","pods":"2"}, '
        'no instance type satisfied resources {"cpu":"150m","pods":"3"} and requirements karpenter.sh/capacity-type In '
        "[spot], karpenter.sh/nodepool In [default] (no instance type has the required offering)",
        "Warning",
    ),
}
"""What each autoscaler says about a pod for which it gets no node."""


class Scheduler:
    """Binds pods as soon as something changes that could let them fit."""

    def __init__(self, store: Store, recorder: Recorder, settings: Settings) -> None:
        self._store, self._recorder, self._settings = store, recorder, settings
        self._changes = store.subscribe()
        self._held = False
        self._limits: dict[str, int] = {}

    async def run(self) -> None:
        """Schedule, until cancelled."""
        while True:
            change = await self._changes.get()
            relevant = change.key.resource in ("pods", "nodes")
            while not self._changes.empty():
                relevant |= self._changes.get_nowait().key.resource in ("pods", "nodes")
            if relevant:
                self.schedule()
            await asyncio.sleep(0)

    def hold(self, held: bool) -> None:
        """Stop binding pods, which then stay Pending without a word, or go on."""
        self._held = held
        self.schedule()

    def limit(self, capacity: str, pods: int | None) -> None:
        """Let the nodes of a capacity take pods only while fewer than that many are on them; None lifts it.

        Such nodes look full. A pool that has shrunk to nothing is one whose nodes are removed.
        """
        self._limits.pop(capacity, None)
        if pods is not None:
            self._limits[capacity] = pods
        self.schedule()

    def schedule(self) -> None:
        """Try every pod that waits, oldest first."""
        if self._held:
            return
        nodes, occupied = self._store.all("nodes"), self._occupied()
        waiting = [pod for pod in self._store.all("pods") if _waits(pod)]
        for pod in sorted(waiting, key=lambda each: str(each["metadata"]["creationTimestamp"])):
            node = self._place(pod, nodes, occupied)
            if node is not None:
                occupied.setdefault(node, []).append(pod)

    def _place(self, pod: Object, nodes: Sequence[Object], occupied: Mapping[str, list[Object]]) -> str | None:
        """Bind a pod to the emptiest node that takes it, and return its name."""
        reasons: dict[str, str] = {}
        for node in nodes:
            name = node["metadata"]["name"]
            reason = why_not(pod, node, occupied.get(name, [])) or self._exhausted(node, nodes, occupied)
            if reason:
                reasons[name] = reason
        names: list[str] = [node["metadata"]["name"] for node in nodes]
        fitting = [name for name in names if name not in reasons]
        if not fitting:
            self._refuse(pod, explanation(list(reasons.values())))
            return None
        best = min(fitting, key=lambda name: len(occupied.get(name, [])))
        self._bind(pod, best)
        return best

    def _exhausted(self, node: Object, nodes: Sequence[Object], occupied: Mapping[str, Sequence[Object]]) -> str | None:
        """Why a node is full although it has room: the limit of its capacity is reached."""
        capacity = capacity_of(node)
        limit = self._limits.get(capacity)
        if limit is None:
            return None
        taken = sum(len(occupied.get(n["metadata"]["name"], [])) for n in nodes if capacity_of(n) == capacity)
        return "Insufficient cpu" if taken >= limit else None

    def _occupied(self) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for pod in self._store.all("pods"):
            node = dig(pod, "spec", "nodeName")
            if node and not is_terminal(pod):
                found.setdefault(node, []).append(pod)
        return found

    def _bind(self, pod: Object, node: str) -> None:
        key = pod_key(pod)
        bound = self._store.modify(key, lambda it: mark_scheduled(it, node))
        text = f"Successfully assigned {key.namespace}/{key.name} to {node}"
        self._recorder.record(bound, Message("default-scheduler", "Scheduled", text))

    def _refuse(self, pod: Object, message: str) -> None:
        refused = self._store.modify(pod_key(pod), lambda it: mark_unschedulable(it, message))
        if refused is pod:
            return
        self._recorder.record(refused, Message("default-scheduler", "FailedScheduling", message, "Warning"))
        if self._settings.autoscaler:
            self._recorder.record(refused, AUTOSCALERS[self._settings.autoscaler])


def explanation(reasons: Sequence[str]) -> str:
    """The scheduler's message: ``FitError`` in
    https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/types.go.
    """
    if not reasons:
        return NO_NODES
    total = len(reasons)
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons).items())
    room = sum(1 for reason in reasons if reason.startswith(("Insufficient", "Too many")))
    outcomes = {
        "No preemption victims found for incoming pod": room,
        "Preemption is not helpful for scheduling": total - room,
    }
    preemption = sorted(f"{count} {text}" for text, count in outcomes.items() if count)
    start = f"0/{total} nodes are available: "
    return f"{start}{', '.join(counted)}. preemption: {start}{', '.join(preemption)}."


def _waits(pod: Object) -> bool:
    return not dig(pod, "spec", "nodeName") and not is_terminal(pod) and "deletionTimestamp" not in pod["metadata"]
