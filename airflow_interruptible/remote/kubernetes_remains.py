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
        "CapacityReservationInterrupted", "ConsolidationTerminateNode", "ConsolidationTerminating", "CordonAndDrain",
        "DeletingNode", "DeprovisioningTerminating", "DisruptionTerminating", "InstanceUnhealthy", "NodeNotReady",
        "PreemptScheduled", "PreemptionScheduled", "RemovingNode", "ScaleDown", "ScaleDownEmpty", "ScheduledEvent",
        "SpotEvictionIncoming", "SpotInterrupted", "SpotInterruption", "TerminatingOnInterruption",
        "VMEventScheduled",
    )
)  # fmt: skip
"""Reasons of a node's events that tell why it was ended: of Kubernetes itself, Karpenter, AKS and the AWS handler."""

UNPLACED = "FailedScheduling"
_NOT_READY = "NodeNotReady"
_PLACED = "Scheduled"
_REPRIEVE = "Cancelling deletion of Pod"
"""How the taint manager's message begins when it changes its mind; its reason stays the same.
https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/tainteviction/taint_eviction.go"""

NODES_NAMESPACE = "default"
"""Where events about nodes are kept, since a node has no namespace."""


def of_pod(
    client: Any, name: str, namespace: str, saw: Saw, reasons: frozenset[str], *, node: str | None = None
) -> Iterator[Answer]:
    """The last event that tells why a pod was ended, or was never placed.

    :param node: its node, if that is known. That it was not ready for a while ended no pod if it is fine now.
    """
    events = sorted(_events(client, name, namespace), key=_order)
    told: Mapping[str, Any] | None = None
    for event in events:
        if _rank(event) in _UNTOLD:
            told = None
        elif event.get("reason") in reasons and saw(_at(event)):
            told = event
    if told is None or (told.get("reason") == _NOT_READY and _is_fine(client, node or _reporter(events))):
        return
    about = frozenset({("pod", name.casefold())})
    yield Answer("k8s", "pod event", pick(told, "reason", "message"), about=about)


def _is_fine(client: Any, node: str | None) -> bool:
    """Whether a node is there, ready and not on its way out. Nobody knows of one that may not be asked for."""
    try:
        found = ask(client.read_node, node) if node else None
    except Exception:  # noqa: BLE001 - forbidden, most often: then the event is the last thing known
        return False
    ready = [one.get("status") for one in each(inside(found, "status"), "conditions") if one.get("type") == "Ready"]
    return found is not None and ready == ["True"] and not each(inside(found, "spec"), "taints")


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
    ends = [
        pick(event, "reason", "message")
        for event in sorted(_events(client, name, NODES_NAMESPACE), key=_order)
        if event.get("reason") in NODE_ENDINGS and saw(_at(event))
    ]
    if ends:
        # All at once, as the most telling one decides: after a reclaim Kubernetes itself reports a node that went away.
        yield Answer("k8s", "node events", {"node": {"labels": labels}, "node_events": ends}, about=about)


def of_silent_node(client: Any, name: str) -> Answer:
    """Whether the node under a pod that seemed to run is gone or has stopped reporting: then it only seemed to run."""
    node = ask(client.read_node, name)
    conditions = [pick(one, "type", "status", "reason") for one in each(inside(node, "status"), "conditions")]
    fields = {"node": {"found": False}} if node is None else {"conditions": conditions}
    return Answer("k8s", "node", fields, about=frozenset({("node", name.casefold())}))


def was_stopped(client: Any, name: str, namespace: str, container: str, begun: datetime | None) -> bool:
    """Whether the kubelet has stopped a container of a pod that is gone. It says so only of one that runs.

    :param begun: when the attempt began, None if nobody knows: a pod before it may have had the same name.
    :raises Exception: whatever the client raises.

    https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/kuberuntime_container.go
    """
    said = f"Stopping container {container}"
    stops = [event for event in _events(client, name, namespace) if event.get("message") == said]
    return any(begun is None or _at(event) >= begun.replace(microsecond=0) for event in stops)


def node_of(client: Any, name: str, namespace: str) -> str | None:
    """The node whose kubelet reported on a pod."""
    return _reporter(_events(client, name, namespace))


def _reporter(events: list[Mapping[str, Any]]) -> str | None:
    hosts = (inside(event, "source").get("host") for event in events)
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
