# SPDX-License-Identifier: Apache-2.0
"""Pods that earlier attempts launched: which there are, how far each is, and where it runs.

It must not know how pods are placed, nor what is done about them.

Surprising: the API calls a pod ``Running`` until its last container has ended, so a pod that was evicted a second ago
looks alive to whoever asks for its phase only. And a pod that an operator has done with may still be at work: it marks
whatever did not succeed, also where it failed of something else.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.kubernetes import capacity_of_pod
from airflow_interruptible.core.earlier_work import EarlierWork, WorkState
from airflow_interruptible.remote.kubernetes_client import SECONDS, is_gone, patiently

if TYPE_CHECKING:
    from airflow_interruptible.core.capacity import CapacityType

_WHOSE = ("dag_id", "task_id", "run_id", "map_index", "kubernetes_pod_operator")
"""The labels by which the operator tells the pods of one task instance."""


def earlier_pods(client: Any, request: Any) -> list[Any]:
    """Return the pods of a task instance, also those that the operator has done with.

    :param request: the pod that is about to be created, which has the labels of the task instance.
    :raises Exception: whatever the client raises, at last. Without an answer, nobody knows what is at work.
    """
    labels = request.metadata.labels
    terms = [f"{name}={labels[name]}" if name in labels else f"!{name}" for name in _WHOSE]
    selector = ",".join([*terms, "!airflow-worker"])
    namespace = request.metadata.namespace
    found = patiently(
        lambda: client.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=5 * SECONDS)
    )
    return list(found.items)


def where_is(pod: Any) -> dict[str, str]:
    """Return where a pod runs, as far as it knows, for the history."""
    known = {
        "launched_pod": pod.metadata.name,
        "launched_namespace": pod.metadata.namespace,
        "launched_node": pod.spec.node_name,
    }
    return {key: str(value) for key, value in known.items() if value}


def work_of(pod: Any, client: Any) -> EarlierWork:
    """Return how far a pod is, and what it runs on.

    :param client: to ask for the pod's node. Who may not ask goes by what the pod says itself.
    """
    phase, asked = pod.status.phase, capacity_of_pod(pod)
    if phase in ("Failed", "Succeeded"):
        return EarlierWork(WorkState.OVER, asked, f"it has {phase.lower()}")
    labels = _labels_of(pod.spec.node_name, client) if pod.spec.node_name else {}
    if labels is None:
        return EarlierWork(WorkState.OVER, asked, "its node is gone")
    return replace(_alive(pod, phase), capacity=_capacity_of(labels) or asked)


def _alive(pod: Any, phase: str) -> EarlierWork:
    if pod.metadata.deletion_timestamp is not None:
        return EarlierWork(WorkState.ENDING, because="it is being deleted")
    if is_disrupted(pod):
        return EarlierWork(WorkState.ENDING, because="it is being disrupted")
    state = {"Pending": WorkState.WAITING, "Running": WorkState.AT_WORK}.get(phase, WorkState.UNSEEN)
    return EarlierWork(state, because="its state is not known" if state is WorkState.UNSEEN else "")


def is_disrupted(pod: Any) -> bool:
    """Whether the platform has told the pod to end.

    https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    return any((one.type, one.status) == ("DisruptionTarget", "True") for one in pod.status.conditions or ())


def is_missing(node: str, client: Any) -> bool:
    """Whether the cluster has no such node. Who may not ask does not know."""
    return _labels_of(node, client) is None


def _labels_of(node: str, client: Any) -> dict[str, str] | None:
    """The labels of a node, as far as they may be asked for; None if there is no such node."""
    try:
        found = client.read_node(node, _request_timeout=SECONDS)
    except Exception as error:  # noqa: BLE001 - forbidden, most often: this needs a permission that pods do not
        return None if is_gone(error) else {}
    return dict(getattr(getattr(found, "metadata", None), "labels", None) or {})


def _capacity_of(labels: dict[str, str]) -> CapacityType | None:
    if not labels:
        return None
    from airflow_interruptible.rules.kubernetes import NODE_LABELS  # heavy, and most attempts find no earlier pod

    known = (words[labels[label]] for label, words in NODE_LABELS.items() if labels.get(label) in words)
    return next(known, None)
