# SPDX-License-Identifier: Apache-2.0
"""Pods that earlier attempts launched: which there are, and whether the running attempt may go on with one of them.

A pod that lives is the same work, whoever waits for it. One that is ending, or has failed, is not; nor is one that has
not started and waits for a capacity that this attempt must not use. It must not know how pods are placed.

Surprising: the API calls a pod ``Running`` until its last container has ended, so a pod that was evicted a second ago
looks alive to whoever asks for its phase only.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.kubernetes import capacity_of_pod
from airflow_interruptible.remote.kubernetes_client import SECONDS, is_gone

if TYPE_CHECKING:
    from airflow_interruptible.core.capacity import CapacityType

_WHOSE = ("dag_id", "task_id", "run_id", "map_index", "kubernetes_pod_operator")
"""The labels by which the operator tells the pods of one task instance."""


def earlier_pods(client: Any, request: Any, checked: str) -> list[Any]:
    """Return the pods of a task instance that the operator could attach to.

    :param request: the pod that is about to be created, which has the labels of the task instance.
    :param checked: the label of those that the operator has done with.
    """
    labels = request.metadata.labels
    terms = [f"{name}={labels[name]}" if name in labels else f"!{name}" for name in _WHOSE]
    selector = ",".join([*terms, f"{checked}!=True", "!airflow-worker"])
    found = client.list_namespaced_pod(request.metadata.namespace, label_selector=selector, _request_timeout=SECONDS)
    return list(found.items)


def where_is(pod: Any) -> dict[str, str]:
    """Return where a pod runs, as far as it knows, for the history."""
    known = {
        "launched_pod": pod.metadata.name,
        "launched_namespace": pod.metadata.namespace,
        "launched_node": pod.spec.node_name,
    }
    return {key: str(value) for key, value in known.items() if value}


@dataclass(frozen=True)
class Fitness:
    """Whether an attempt may go on with a pod.

    :param why_not: None if it may.
    :param may_still_start: it would run beside the pod of this attempt, if nobody deleted it.
    :param ending: somebody is ending it already.
    """

    why_not: str | None = None
    may_still_start: bool = False
    ending: bool = False

    @classmethod
    def of(cls, pod: Any, capacity: CapacityType | None, client: Any) -> Fitness:
        """Judge a pod of an earlier attempt.

        :param capacity: what the pod of this attempt has to ask for, None if it is not placed.
        """
        if pod.metadata.deletion_timestamp is not None:
            return cls("it is being deleted", ending=True)
        if pod.status.phase == "Failed":
            return cls("it has failed")
        if any((one.type, one.status) == ("DisruptionTarget", "True") for one in pod.status.conditions or ()):
            return cls("it is being disrupted", ending=True)
        asked = capacity_of_pod(pod)
        if capacity is not None and asked not in (None, capacity) and pod.status.phase == "Pending":
            return cls(f"it has not started, and waits {asked.phrase}", may_still_start=True)
        if pod.spec.node_name and pod.status.phase != "Succeeded" and _is_missing(pod.spec.node_name, client):
            return cls("its node is gone", ending=True)
        return cls()


def _is_missing(node: str, client: Any) -> bool:
    """Whether the cluster has no such node. Who may not ask does not know."""
    try:
        client.read_node(node, _request_timeout=SECONDS)
    except Exception as error:  # noqa: BLE001 - forbidden, most often: this needs a permission that pods do not
        return is_gone(error)
    return False
