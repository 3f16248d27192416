# SPDX-License-Identifier: Apache-2.0
"""Kubernetes: which pod an attempt had, and what it and its node say.

How a status is read is in ``kubernetes_pod``, what remains of a pod that is gone in ``kubernetes_remains``.

The traps: the pod that an operator holds may have been read when it was created, so it counts only if it had already
ended, or if our own launcher read it when the operator gave it up; and a pod of the same name may be another pod.
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.remote import kubernetes_remains as remains
from airflow_interruptible.remote.answer import Answer, inside, moment, pick
from airflow_interruptible.remote.kubernetes_client import ask, is_gone, plain
from airflow_interruptible.remote.kubernetes_pod import (
    answer_of,
    as_it_was,
    ended_by_itself,
    has_ended,
    name_of,
    node_of,
    own_containers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure
    from airflow_interruptible.remote.past import Past


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the pod that a KubernetesPodOperator, or one of its kin, launched."""
    told = False
    for answer in _told(failure):
        told = True
        yield answer
    node = node_of(plain(failure.attribute("seen_pod")))
    if node and not told:
        capacity = failure.attribute("launched_capacity")
        answer = remains.of_silent_node(failure.task.client, node).on(capacity and capacity.value)
        if answer.cause is not Cause.UNKNOWN:
            yield answer


def _told(failure: Failure) -> Iterator[Answer]:
    base, capacity = failure.attribute("base_container_name"), failure.attribute("launched_capacity")
    for read in map(plain, (failure.attribute("ended_pod"), *_read_last(failure))):
        if ended_by_itself(read, base):
            yield answer_of(read, capacity, base)
            return
    before = list(_read_before(failure))
    yield from before
    held = plain(failure.attribute("seen_pod", "remote_pod", "pod")) or _remembered(failure)
    name, namespace = name_of(held)
    if not name:
        return
    seen = failure.attribute("seen_pod") is not None
    if has_ended(held, base) or (seen and answer_of(held, capacity, base).cause is not Cause.UNKNOWN):
        yield from _and_its_node(failure.task.client, held, answer_of(held, capacity, base))
        return
    client = failure.task.client
    pod = ask(client.read_namespaced_pod, name, namespace)
    if pod is None:
        left = () if before else _gone(failure, held)
        yield from (answer.on(capacity and capacity.value) for answer in left)
    elif _is_ours(pod, held, failure) and (
        has_ended(pod, base) or answer_of(pod, capacity, base).cause is not Cause.UNKNOWN
    ):
        yield from _and_its_node(client, pod, answer_of(pod, capacity, base))


def _read_before(failure: Failure) -> Iterator[Answer]:
    """What the operator has read of its pod while that was ending. By now it may be gone, or the API away."""
    base, capacity = failure.attribute("base_container_name"), failure.attribute("launched_capacity")
    answer = answer_of(plain(failure.attribute("disrupted_pod")), capacity, base)
    if answer.cause is not Cause.UNKNOWN:
        yield answer


def _read_last(failure: Failure) -> Iterator[Any]:
    """The pods that the operator had read when it failed, latest first: afterwards they may be gone.

    Its functions hold them when they raise, whatever they call them.
    """
    name = name_of(plain(failure.attribute("pod")) or _remembered(failure))[0]
    for local in failure.locals_of("airflow.providers.cncf.kubernetes"):
        metadata = getattr(local, "metadata", None)
        if name and hasattr(local, "status") and getattr(metadata, "name", None) == name:
            yield local


def _is_ours(pod: Mapping[str, Any], held: Mapping[str, Any], failure: Failure) -> bool:
    """Whether the pod of that name is the one of this attempt, and not one that was kept from an earlier one.

    The operator may hold no more than what it asked for, which the API refused since the name was taken.
    """
    mine, found = inside(held, "metadata"), inside(pod, "metadata")
    if mine.get("uid") or mine.get("creation_timestamp"):
        return bool(mine.get("uid") == found.get("uid"))
    if (failure.attribute("launched") or {}).get("launched_pod") == found.get("name"):
        return True
    ti = failure.context.get("ti")
    created, begun = moment(found.get("creation_timestamp")), moment(getattr(ti, "start_date", None))
    number = inside(found, "labels").get("try_number")
    if number is not None:
        return str(number) == str(getattr(ti, "try_number", number))
    return created is None or begun is None or created >= begun.replace(microsecond=0)


def look(past: Past) -> Iterator[Answer]:
    """Look at the pod that an attempt ran in, by the connection ``kubernetes_default`` or from inside the cluster."""
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

    client = KubernetesHook(conn_id="kubernetes_default").core_v1_client
    name, namespace = past.where["pod"], past.where.get("namespace") or "default"
    node = past.where.get("node")
    pod = ask(client.read_namespaced_pod, name, namespace)
    if pod is None or _another(pod, past):
        answer = next(remains.of_pod(client, name, namespace, past.saw, remains.POD_ENDINGS, node=node), None)
        node = node or remains.node_of(client, name, namespace)
        yield from map(past.tell, _with_its_node(answer, client, node, past.saw))
    elif has_ended(pod := _as_it_ended(pod, past)):
        yield from map(past.tell, _and_its_node(client, pod, answer_of(pod)))
    elif node := node_of(pod) or node:
        answer = remains.of_silent_node(client, node)
        if answer.cause is not Cause.UNKNOWN:
            yield past.tell(answer)


def look_launched(past: Past) -> Iterator[Answer]:
    """Look at the pod that the operator of an attempt had launched. If it lives, only the Airflow worker was lost."""
    client, base = _client_of(past.task), getattr(past.task, "base_container_name", None)
    name, namespace = past.where["launched_pod"], past.where.get("launched_namespace") or "default"
    node = past.where.get("launched_node")
    pod = ask(client.read_namespaced_pod, name, namespace)
    if pod is None:
        endings = remains.POD_ENDINGS | {remains.UNPLACED}
        answer = next(remains.of_pod(client, name, namespace, past.saw, endings, node=node), None)
        node = node or remains.node_of(client, name, namespace)
        found = _with_its_node(answer, client, node, past.saw)
        yield from (one.on(past.capacity and past.capacity.value) for one in found)
    elif has_ended(pod, base) and inside(pod, "status").get("phase") != "Succeeded":
        yield from _and_its_node(client, pod, answer_of(pod, past.capacity, base))
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
    name, namespace = name_of(held)
    node = node_of(held) or node_of(_remembered(failure))
    reasons = remains.POD_ENDINGS | {remains.UNPLACED}
    answer = next(remains.of_pod(client, name, namespace, failure.saw, reasons, node=node), None)
    if answer is not None:
        yield answer
    elif failure.attribute("missed_pod") or any(
        is_gone(error) or isinstance(error, PodNotFoundException) for error in failure.chain()
    ):
        node = node or remains.node_of(client, name, namespace)
        yield from remains.of_node(client, node, failure.saw) if node else ()


def _with_its_node(told: Answer | None, client: Any, node: str | None, saw: remains.Saw) -> Iterator[Answer]:
    """What a vanished pod's own event tells, and what became of its node, which may say why the pod was evicted."""
    if told is not None:
        yield told
    if node and (told is None or told.cause is Cause.INFRASTRUCTURE):
        for answer in remains.of_node(client, node, saw):
            yield answer if told is None else told.with_fields(**answer.payload)


def _and_its_node(client: Any, pod: Mapping[str, Any], answer: Answer) -> Iterator[Answer]:
    """Ask the node what capacity it is, where that can matter. Its taints are about its next pods, not about ours."""
    yield answer
    node = node_of(pod)
    if node and answer.cause.charge is Charge.SYSTEM:
        yield answer.with_fields(node={"labels": inside(ask(client.read_node, node), "metadata", "labels")})


def _another(pod: Mapping[str, Any], past: Past) -> bool:
    """Whether this pod was created after the attempt had started: a stateful set uses its names again."""
    created = moment(inside(pod, "metadata").get("creation_timestamp"))
    return past.since is not None and created is not None and created > past.since


def _as_it_ended(pod: dict[str, Any], past: Past) -> dict[str, Any]:
    """The pod; if its container was restarted since the attempt began, as it was before that."""
    ends = [(one, inside(one, "last_state", "terminated")) for one in own_containers(pod)]
    ours = [
        {"name": one.get("name"), "state": {"terminated": end}}
        for one, end in ends
        if past.since and past.saw_here(end.get("finished_at"))
    ]
    return as_it_was(pod, ours) if ours else pod
