# SPDX-License-Identifier: Apache-2.0
"""The two controllers that end pods because of their node: the taint manager and the pod garbage collector.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
The messages are in https://github.com/kubernetes/kubernetes: ``pkg/controller/tainteviction/taint_eviction.go`` and
``pkg/controller/podgc/gc_controller.go``.

Surprising: a pod whose node vanished stays Running in the API until the collector, 40 seconds later, calls it Failed
and deletes it in the same breath.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kubernetes_api.events import Message
from kubernetes_api.nodes import node_key
from kubernetes_api.objects import Object, dig, is_terminal, pod_key
from kubernetes_api.placement import tolerates
from kubernetes_api.pod_status import fail, mark_disrupted
from kubernetes_api.registry import disrupt_pod, remove_pod

if TYPE_CHECKING:
    from kubernetes_api.events import Recorder
    from kubernetes_api.settings import Settings
    from kubernetes_api.store import Store


class TaintManager:
    """Deletes pods that do not tolerate a NoExecute taint of their node, at once or after their tolerationSeconds."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store, self._recorder = store, recorder
        self._changes = store.subscribe()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def run(self) -> None:
        """React to nodes and bindings, until cancelled."""
        while True:
            change = await self._changes.get()
            if change.key.resource == "nodes" and change.type != "DELETED":
                for pod in self._store.all("pods"):
                    if dig(pod, "spec", "nodeName") == change.key.name:
                        self._judge(pod, change.object)
            elif change.key.resource == "pods" and change.type == "MODIFIED" and not _bound(change.previous):
                node = self._store.find(node_key(str(dig(change.object, "spec", "nodeName"))))
                if node is not None:
                    self._judge(change.object, node)

    def _judge(self, pod: Object, node: Object) -> None:
        uid = pod["metadata"]["uid"]
        if timer := self._timers.pop(uid, None):
            timer.cancel()
        left = seconds_left(pod, node)
        if left is not None:
            self._timers[uid] = asyncio.get_running_loop().call_later(left, self._delete, pod)

    def _delete(self, pod: Object) -> None:
        self._timers.pop(pod["metadata"]["uid"], None)
        current = self._store.find(pod_key(pod))
        if current is None or current["metadata"]["uid"] != pod["metadata"]["uid"]:
            return
        if is_terminal(current) or "deletionTimestamp" in current["metadata"]:
            return
        key = pod_key(pod)
        text = f"Marking for deletion Pod {key.namespace}/{key.name}"
        self._recorder.record(current, Message("taint-eviction-controller", "TaintManagerEviction", text))
        disrupt_pod(self._store, current, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")


def seconds_left(pod: Object, node: Object) -> float | None:
    """How long a pod may stay on its node; None is for ever, 0 not at all."""
    taints = [taint for taint in dig(node, "spec", "taints") or [] if taint["effect"] == "NoExecute"]
    allowed: list[float] = []
    for taint in taints:
        tolerations = [each for each in dig(pod, "spec", "tolerations") or [] if tolerates(each, taint)]
        if not tolerations:
            return 0.0
        allowed += [float(each["tolerationSeconds"]) for each in tolerations if "tolerationSeconds" in each]
    return max(min(allowed), 0.0) if allowed else None


def _bound(pod: Object | None) -> bool:
    return bool(dig(pod, "spec", "nodeName"))


class PodGarbageCollector:
    """Fails and deletes the pods of nodes that no longer exist."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._changes = store.subscribe()

    async def run(self) -> None:
        """React to deleted nodes, until cancelled."""
        while True:
            change = await self._changes.get()
            if change.key.resource == "nodes" and change.type == "DELETED":
                quarantine = self._settings.pod_gc_quarantine
                asyncio.get_running_loop().call_later(quarantine, self._collect, change.key.name)

    def _collect(self, node: str) -> None:
        if self._store.find(node_key(node)) is not None:
            return
        for pod in self._store.all("pods"):
            if dig(pod, "spec", "nodeName") == node:
                remove_pod(self._store, self._fail(pod))

    def _fail(self, pod: Object) -> Object:
        if is_terminal(pod):
            return pod

        def change(lost: Object) -> None:
            fail(lost)
            mark_disrupted(lost, "DeletionByPodGC", "PodGC: node no longer exists")

        return self._store.modify(pod_key(pod), change)
