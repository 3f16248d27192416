# SPDX-License-Identifier: Apache-2.0
"""How a pod is deleted: the part of the API server that all who delete pods share.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination

Surprising: a pod that is bound to a node stays, with a deletionTimestamp, until its kubelet says that it has ended. A
pod without a node, one that has ended, and one deleted with a grace period of zero are gone at once; but even then a
watcher first sees the deletionTimestamp (``CheckGracefulDelete`` in
https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/pod/strategy.go).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kubernetes_api import pod_status
from kubernetes_api.objects import Object, dig, grace_of, is_terminal, now, pod_key, seconds_stamp

if TYPE_CHECKING:
    from kubernetes_api.store import Store


def delete_pod(store: Store, pod: Object, grace: float | None = None) -> Object:
    """Delete a pod gracefully and return it as it is then.

    :param grace: seconds; None is the pod's own terminationGracePeriodSeconds.
    """
    unbound = not dig(pod, "spec", "nodeName")
    seconds = 0 if unbound or is_terminal(pod) else int(grace_of(pod) if grace is None else grace)
    marked = store.modify(pod_key(pod), lambda it: _mark_deleted(it, seconds))
    return store.delete(pod_key(pod)) if seconds == 0 else marked


def remove_pod(store: Store, pod: Object) -> None:
    """Take a pod out of the API at once: what a kubelet does when all of it has ended, and ``--force``."""
    delete_pod(store, pod, 0)


def disrupt_pod(store: Store, pod: Object, reason: str, message: str, grace: float | None = None) -> Object:
    """Delete a pod as a disruption: the condition first, then the deletion."""
    marked = store.modify(pod_key(pod), lambda it: pod_status.mark_disrupted(it, reason, message))
    return delete_pod(store, marked, grace)


def _mark_deleted(pod: Object, seconds: int) -> None:
    """Set the deletionTimestamp; a deletion under way can only be shortened."""
    metadata = pod["metadata"]
    known = metadata.get("deletionGracePeriodSeconds")
    if known is not None and seconds >= known:
        return
    metadata["deletionTimestamp"] = seconds_stamp(now() + timedelta(seconds=seconds))
    metadata["deletionGracePeriodSeconds"] = seconds
    metadata["generation"] = metadata.get("generation", 1) + 1
