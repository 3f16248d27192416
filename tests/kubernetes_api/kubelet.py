# SPDX-License-Identifier: Apache-2.0
"""The kubelets of all nodes: runs what is bound to them, ends what is deleted, and can die with its machine.

It reacts to the store alone, as a kubelet does to its watch, and so never sees a request.
https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from kubernetes_api.objects import Object, dig, grace_of, is_terminal, pod_key
from kubernetes_api.pod_worker import PodWorker, Ruling
from kubernetes_api.registry import remove_pod

if TYPE_CHECKING:
    from kubernetes_api.container_log import ContainerLog
    from kubernetes_api.events import Recorder
    from kubernetes_api.settings import Settings
    from kubernetes_api.store import Change, Store

_LOG = logging.getLogger(__name__)

SHUTDOWN_MESSAGE = "Pod was terminated in response to imminent node shutdown."
"""``nodeShutdownMessage``: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/nodeshutdown/nodeshutdown_manager.go."""

SHUTDOWN = Ruling("Terminated", SHUTDOWN_MESSAGE, SHUTDOWN_MESSAGE)
FORCED_GRACE_SECONDS = 2.0
"""What processes of a pod that is deleted by force still get: ``minimumGracePeriodInSeconds`` in
https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/kuberuntime_manager.go."""


class Kubelets:
    """Every kubelet of the cluster."""

    def __init__(self, store: Store, recorder: Recorder, settings: Settings) -> None:
        self._store, self._recorder, self._settings = store, recorder, settings
        self._changes = store.subscribe()
        self._workers: dict[str, PodWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._off: set[str] = set()

    async def run(self) -> None:
        """React to pods, until cancelled; then kill every container."""
        try:
            while True:
                change = await self._changes.get()
                if change.key.resource == "pods":
                    self._react(change)
                elif change.key.resource == "nodes" and change.type == "ADDED":
                    self._off.discard(change.key.name)
        finally:
            for worker in self._workers.values():
                worker.power_off()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def is_off(self, node: str) -> bool:
        """Whether the machine of a node is gone."""
        return node in self._off

    def log(self, pod: Object, container: str) -> ContainerLog | None:
        """The log of a container; None before it was started."""
        worker = self._workers.get(pod["metadata"]["uid"])
        return None if worker is None else worker.logs.get(container)

    def shut_down(self, node: str, within: float) -> None:
        """Graceful node shutdown: each pod gets its own grace period, or what is left of the time."""
        for worker in self._of(node):
            worker.end(min(grace_of(worker.pod), within), SHUTDOWN)

    def evict(self, pod: Object, ruling: Ruling, grace: float) -> None:
        """End a pod for the node's own sake."""
        worker = self._workers.get(pod["metadata"]["uid"])
        if worker is not None and not is_terminal(worker.pod):
            worker.end(grace, ruling)

    def out_of_memory(self, pod: Object, container: str | None) -> None:
        """Let the kernel's OOM killer take a container, by default the first."""
        worker = self._workers.get(pod["metadata"]["uid"])
        if worker is not None:
            worker.out_of_memory(container or pod["spec"]["containers"][0]["name"])

    def power_off(self, node: str) -> None:
        """The machine vanishes: all its processes die, and its kubelet with them."""
        self._off.add(node)
        for worker in self._of(node):
            worker.power_off()

    def _of(self, node: str) -> list[PodWorker]:
        return [worker for worker in self._workers.values() if worker.node == node]

    def _react(self, change: Change) -> None:
        pod = change.object
        node, worker = dig(pod, "spec", "nodeName"), self._workers.get(pod["metadata"]["uid"])
        if change.type == "DELETED":
            if worker is not None:
                worker.end(FORCED_GRACE_SECONDS)
                del self._workers[pod["metadata"]["uid"]]
        elif not node or node in self._off:
            return
        elif worker is None and not is_terminal(pod):
            self._begin(pod)
        elif worker is not None and "deletionTimestamp" in pod["metadata"] and not _was_deleting(change):
            worker.end(float(pod["metadata"]["deletionGracePeriodSeconds"]))

    def _begin(self, pod: Object) -> None:
        worker = PodWorker(pod, self._store, self._recorder, self._settings)
        self._workers[pod["metadata"]["uid"]] = worker
        task = asyncio.create_task(self._run(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception:  # a fault of ours must not look like a fault of the code under test
            _LOG.exception("pod %s: the worker failed", worker.pod["metadata"]["name"])
            raise
        pod = self._store.find(pod_key(worker.pod))
        ours = pod is not None and pod["metadata"]["uid"] == worker.pod["metadata"]["uid"]
        if pod is not None and ours and "deletionTimestamp" in pod["metadata"] and worker.node not in self._off:
            remove_pod(self._store, pod)


def _was_deleting(change: Change) -> bool:
    """Whether the grace period is none the kubelet has not seen yet."""
    before = change.previous["metadata"] if change.previous else {}
    return bool(before.get("deletionGracePeriodSeconds") == change.object["metadata"]["deletionGracePeriodSeconds"])
