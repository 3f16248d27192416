# SPDX-License-Identifier: Apache-2.0
"""Kubernetes: a pod's status, and the capacity of its node. What remains of a pod is in ``kubernetes_remains``.

The traps: the pod that an operator holds may have been read when it was created, so it counts only if it had already
ended, or if our own launcher read it when the operator gave it up; and a pod of the same name may be another pod.
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.remote import kubernetes_remains as remains
from airflow_interruptible.remote.answer import Answer, each, inside, moment, pick
from airflow_interruptible.remote.kubernetes_client import ask, is_gone, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.remote.failure import Failure
    from airflow_interruptible.remote.past import Past

_OVER = ("Succeeded", "Failed")


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the pod that a KubernetesPodOperator, or one of its kin, launched."""
    told = False
    for answer in _told(failure):
        told = True
        yield answer
    node = _node(plain(failure.attribute("seen_pod")))
    if node and not told:
        capacity = failure.attribute("launched_capacity")
        answer = remains.of_silent_node(failure.task.client, node).on(capacity and capacity.value)
        if answer.cause is not Cause.UNKNOWN:
            yield answer


def _told(failure: Failure) -> Iterator[Answer]:
    held = plain(failure.attribute("seen_pod", "remote_pod", "pod")) or _remembered(failure)
    name, namespace = _name(held)
    if not name:
        return
    capacity = failure.attribute("launched_capacity")
    seen = failure.attribute("seen_pod") is not None
    if _ended(held) or (seen and _answer(held, capacity).cause is not Cause.UNKNOWN):
        answer = _answer(held, capacity)
        yield answer
        yield from _on_its_node(failure.task.client, held, answer)
        return
    client = failure.task.client
    pod = ask(client.read_namespaced_pod, name, namespace)
    if pod is None:
        yield from (answer.on(capacity and capacity.value) for answer in _gone(failure, held))
    elif _ended(pod) or _answer(pod, capacity).cause is not Cause.UNKNOWN:
        yield _answer(pod, capacity)
        yield from _on_its_node(client, pod, _answer(pod, capacity))


def look(past: Past) -> Iterator[Answer]:
    """Look at the pod that an attempt ran in, by the connection ``kubernetes_default`` or from inside the cluster."""
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

    client = KubernetesHook(conn_id="kubernetes_default").core_v1_client
    name, namespace = past.where["pod"], past.where.get("namespace") or "default"
    pod = ask(client.read_namespaced_pod, name, namespace)
    if pod is None or _another(pod, past):
        answer = next(remains.of_pod(client, name, namespace, past.saw, remains.POD_ENDINGS), None)
        if answer is not None:
            yield past.tell(answer)
            return
        node = past.where.get("node") or remains.node_of(client, name, namespace)
        for answer in remains.of_node(client, node, past.saw) if node else ():
            yield past.tell(answer)
    elif _ended(pod := _as_it_ended(pod, past)):
        answer = past.tell(_answer(pod))
        yield answer
        yield from _on_its_node(client, pod, answer)


def look_launched(past: Past) -> Iterator[Answer]:
    """Look at the pod that the operator of an attempt had launched. If it lives, only the Airflow worker was lost."""
    client = _client_of(past.task)
    name, namespace = past.where["launched_pod"], past.where.get("launched_namespace") or "default"
    pod = ask(client.read_namespaced_pod, name, namespace)
    if pod is None:
        answers = remains.of_pod(client, name, namespace, past.saw, remains.POD_ENDINGS | {remains.UNPLACED})
        answer = next(answers, None)
        node = past.where.get("launched_node") or remains.node_of(client, name, namespace)
        found = [answer] if answer else (remains.of_node(client, node, past.saw) if node else ())
        yield from (answer.on(past.capacity and past.capacity.value) for answer in found)
    elif _ended(pod) and inside(pod, "status").get("phase") != "Succeeded":
        answer = _answer(pod, past.capacity)
        yield answer
        yield from _on_its_node(client, pod, answer)
    else:
        yield Answer("airflow", "launched pod", {"launched": pick(inside(pod, "status"), "phase")})


def _client_of(task: Any) -> Any:
    """The operator's own client, made for this look: what it keeps may depend on what its ``execute`` sets up first."""
    other = copy(task)
    for made in ("client", "hook"):
        vars(other).pop(made, None)
    return other.client


def _remembered(failure: Failure) -> dict[str, Any]:
    """The pod as the history knows it, which outlives a deferral."""
    where = failure.attribute("launched") or {}
    metadata = {"name": where.get("launched_pod"), "namespace": where.get("launched_namespace")}
    return {"metadata": metadata, "spec": {"node_name": where.get("launched_node")}}


def _gone(failure: Failure, held: Mapping[str, Any]) -> Iterator[Answer]:
    """What remains of a pod that the operator can no longer have seen the end of.

    The operator deletes its pod whatever it failed of, so the node is asked only if the pod was missing before that.
    """
    from airflow.providers.cncf.kubernetes.utils.pod_manager import PodNotFoundException

    client = failure.task.client
    name, namespace = _name(held)
    reasons = remains.POD_ENDINGS | {remains.UNPLACED}
    answer = next(remains.of_pod(client, name, namespace, failure.saw, reasons), None)
    if answer is not None:
        yield answer
    elif failure.attribute("missed_pod") or any(
        is_gone(error) or isinstance(error, PodNotFoundException) for error in failure.chain()
    ):
        node = _node(held) or _node(_remembered(failure)) or remains.node_of(client, name, namespace)
        yield from remains.of_node(client, node, failure.saw) if node else ()


def _name(pod: Mapping[str, Any]) -> tuple[str, str]:
    metadata = inside(pod, "metadata")
    return str(metadata.get("name") or ""), str(metadata.get("namespace") or "default")


def _node(pod: Mapping[str, Any]) -> str | None:
    return inside(pod, "spec").get("node_name")


def _ended(pod: Mapping[str, Any]) -> bool:
    status = inside(pod, "status")
    disrupted = any(
        (one.get("type"), one.get("status")) == ("DisruptionTarget", "True") for one in each(status, "conditions")
    )
    crashed = any(inside(one, "state", "terminated").get("exit_code") for one in each(status, "container_statuses"))
    return status.get("phase") in _OVER or disrupted or crashed


def _answer(pod: Mapping[str, Any], capacity: CapacityType | None = None) -> Answer:
    name, _ = _name(pod)
    status, node = inside(pod, "status"), inside(pod, "spec").get("node_name")
    conditions = [pick(one, "type", "status", "reason", "message") for one in each(status, "conditions")]
    containers = [*each(status, "container_statuses"), *each(status, "init_container_statuses")]
    payload = {
        **pick(status, "phase", "reason", "message"),
        "conditions": conditions,
        "containerStatuses": [{"state": inside(one, "state")} for one in containers],
    }
    about = {("pod", name.casefold())} | ({("node", str(node).casefold())} if node else set())
    return Answer("k8s", "pod status", payload, about=frozenset(about)).on(capacity and capacity.value)


def _on_its_node(client: Any, pod: Mapping[str, Any], answer: Answer) -> Iterator[Answer]:
    """Ask the node what capacity it is, where that can matter. Its taints are about its next pods, not about ours."""
    node = inside(pod, "spec").get("node_name")
    if node and answer.cause.charge is Charge.SYSTEM:
        yield answer.with_fields(node={"labels": inside(ask(client.read_node, node), "metadata", "labels")})


def _another(pod: Mapping[str, Any], past: Past) -> bool:
    """Whether this pod was created after the attempt had started: a stateful set uses its names again."""
    created = moment(inside(pod, "metadata").get("creation_timestamp"))
    return past.since is not None and created is not None and created > past.since


def _as_it_ended(pod: dict[str, Any], past: Past) -> dict[str, Any]:
    """The pod; if its containers were restarted since the attempt began, as they were before that."""
    status = inside(pod, "status")
    ends = [inside(one, "last_state", "terminated") for one in each(status, "container_statuses")]
    ours = [{"state": {"terminated": end}} for end in ends if past.since and past.saw(end.get("finished_at"))]
    return {**pod, "status": {**status, "container_statuses": ours}} if ours else pod
