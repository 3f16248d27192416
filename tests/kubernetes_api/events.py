# SPDX-License-Identifier: Apache-2.0
"""Writes Event objects, as ``kubectl describe`` shows them.

The same thing told again raises the count of the event that is there.
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes_api.objects import NO_NAMESPACE, Key, Object, now, seconds_stamp

if TYPE_CHECKING:
    from kubernetes_api.store import Store


@dataclass(frozen=True, slots=True)
class Message:
    """What an event says.

    :param source: the component that says it.
    :param type: ``Normal`` or ``Warning``.
    """

    source: str
    reason: str
    text: str
    type: str = "Normal"


class Recorder:
    """Records events about pods and nodes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, Message], Key] = {}

    def record(self, about: Object, message: Message) -> None:
        """Record one event; about a node it goes to the namespace ``default``, as in a real cluster."""
        identity = (about["metadata"]["uid"], message)
        key = self._known.get(identity)
        if key is not None and self._store.find(key) is not None:
            self._store.modify(key, _once_more)
            return
        self._known[identity] = key = _name(about)
        self._store.create(key, _event(about, message, key))


def _name(about: Object) -> Key:
    namespace = about["metadata"].get("namespace") or "default"
    return Key("events", namespace, f"{about['metadata']['name']}.{uuid.uuid4().hex[:16]}")


def _once_more(event: Object) -> None:
    event["count"] += 1
    event["lastTimestamp"] = seconds_stamp(now())


def _host(about: Object, message: Message) -> dict[str, str]:
    """A kubelet says on which node it is: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet.go."""
    node = (about.get("spec") or {}).get("nodeName")
    return {"host": node} if message.source == "kubelet" and node else {}


def _event(about: Object, message: Message, key: Key) -> Object:
    metadata = about["metadata"]
    at = seconds_stamp(now())
    return {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": at,
        },
        "involvedObject": {
            "kind": about["kind"],
            "apiVersion": "v1",
            "name": metadata["name"],
            "namespace": metadata.get("namespace", NO_NAMESPACE),
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": message.type,
        "reason": message.reason,
        "message": message.text,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": message.source, **_host(about, message)},
        "reportingComponent": message.source,
        "reportingInstance": "",
    }
