# SPDX-License-Identifier: Apache-2.0
"""What remains of a pod that is gone: its events, those of its node, and what became of the node.

The traps: events are stamped in whole seconds, so those of one second have no order; and a node that is being removed
says nothing of a pod that ended by itself, so this is asked only of a pod that vanished.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote.answer import Answer, each, inside, moment, pick
from airflow_interruptible.remote.kubernetes_client import ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Saw = Callable[[object], bool]
"""Whether something that happened at a time may have ended the attempt."""

POD_ENDINGS = frozenset(
    (
        "Evicted", "NodeControllerEviction", "NodeNotReady", "NodeShutdown", "Preempted", "Preempting",
        "TaintManagerEviction",
    )
)  # fmt: skip
"""Reasons of a pod's events that tell why it was ended."""

NODE_ENDINGS = frozenset(
    (
        "CapacityReservationInterrupted", "DeletingNode", "DisruptionTerminating", "InstanceUnhealthy", "NodeNotReady",
        "RemovingNode", "ScaleDown", "ScaleDownEmpty", "ScheduledEvent", "SpotInterrupted", "SpotInterruption",
        "TerminatingOnInterruption",
    )
)  # fmt: skip
"""Reasons of a node's events that tell why it was ended: of Kubernetes itself, Karpenter and the AWS handler."""

UNPLACED = "FailedScheduling"
_PLACED = "Scheduled"
_REPRIEVE = "Cancelling deletion of Pod"
"""How the taint manager's message begins when it changes its mind; its reason stays the same.
https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/tainteviction/taint_eviction.go"""

NODES_NAMESPACE = "default"
"""Where events about nodes are kept, since a node has no namespace."""


def of_pod(client: Any, name: str, namespace: str, saw: Saw, reasons: frozenset[str]) -> Iterator[Answer]:
    """The last event that tells why a pod was ended, or was never placed."""
    told: Mapping[str, Any] | None = None
    for event in sorted(_events(client, name, namespace), key=_order):
        if _rank(event) in _UNTOLD:
            told = None
        elif event.get("reason") in reasons and saw(_at(event)):
            told = event
    if told is not None:
        about = frozenset({("pod", name.casefold())})
        yield Answer("k8s", "pod event", pick(told, "reason", "message"), about=about)


def of_node(client: Any, name: str, saw: Saw) -> Iterator[Answer]:
    """What became of the node under a pod that vanished: it is gone, or it is going. Its past alone proves nothing."""
    about = frozenset({("node", name.casefold())})
    node = ask(client.read_node, name)
    labels = inside(node, "metadata", "labels")
    taints = [pick(taint, "key") for taint in each(inside(node, "spec"), "taints")]
    fields = {"found": False} if node is None else {"labels": labels, "spec": {"taints": taints}}
    answer = Answer("k8s", "node", {"node": fields}, about=about)
    if node is not None and answer.cause is Cause.UNKNOWN:
        return
    yield answer
    for event in sorted(_events(client, name, NODES_NAMESPACE), key=_order):
        if event.get("reason") in NODE_ENDINGS and saw(_at(event)):
            yield Answer("k8s", "node event", {**pick(event, "reason"), "node": {"labels": labels}}, about=about)


def of_silent_node(client: Any, name: str) -> Answer:
    """Whether the node under a pod that seemed to run is gone or has stopped reporting: then it only seemed to run."""
    node = ask(client.read_node, name)
    conditions = [pick(one, "type", "status", "reason") for one in each(inside(node, "status"), "conditions")]
    fields = {"node": {"found": False}} if node is None else {"conditions": conditions}
    return Answer("k8s", "node", fields, about=frozenset({("node", name.casefold())}))


def node_of(client: Any, name: str, namespace: str) -> str | None:
    """The node whose kubelet reported on a pod."""
    hosts = (inside(event, "source").get("host") for event in _events(client, name, namespace))
    return next((str(host) for host in hosts if host), None)


def _events(client: Any, name: str, namespace: str) -> list[Mapping[str, Any]]:
    return each(ask(client.list_namespaced_event, namespace, field_selector=f"involvedObject.name={name}"), "items")


_UNTOLD = (1, 3)
"""What makes earlier events say nothing: the pod was placed after all, or spared."""


def _rank(event: Mapping[str, Any]) -> int:
    """The order of events within one second: not placed, placed, ended, spared."""
    if event.get("reason") in (UNPLACED, _PLACED):
        return int(event["reason"] == _PLACED)
    return 3 if str(event.get("message")).startswith(_REPRIEVE) else 2


def _order(event: Mapping[str, Any]) -> tuple[datetime, int]:
    return _at(event), _rank(event)


def _at(event: Mapping[str, Any]) -> datetime:
    times = (moment(event.get(name)) for name in ("last_timestamp", "event_time", "first_timestamp"))
    return next((at for at in times if at), datetime.min.replace(tzinfo=timezone.utc))
