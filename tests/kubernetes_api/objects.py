# SPDX-License-Identifier: Apache-2.0
"""What a Kubernetes object is here: plain JSON, and the few things everybody asks of it.

Nobody changes an object that the store handed out: ``Store.modify`` hands out a copy to change.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NamedTuple, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A JSON object."""

NO_NAMESPACE = ""
"""The namespace of what belongs to the whole cluster."""


class Key(NamedTuple):
    """Where an object lives.

    :param resource: the plural, as in the URL: ``pods``.
    :param namespace: ``NO_NAMESPACE`` for nodes and namespaces.
    """

    resource: str
    namespace: str
    name: str


def dig(value: Any, *path: str) -> Any:
    """Follow a path of names; None as soon as one of them is missing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def pod_key(pod: Object) -> Key:
    """Where a pod lives."""
    return Key("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


def seconds_stamp(at: datetime) -> str:
    """``metav1.Time``: RFC 3339 in whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def nanoseconds_stamp(at: datetime) -> str:
    """The form of ``timestamps=true`` in logs: RFC 3339 with nanoseconds, of which we know the microseconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def is_terminal(pod: Object) -> bool:
    """Whether the pod has ended: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase."""
    return dig(pod, "status", "phase") in ("Succeeded", "Failed")


def grace_of(pod: Object) -> float:
    """The pod's own terminationGracePeriodSeconds, 30 unless it says otherwise."""
    seconds = dig(pod, "spec", "terminationGracePeriodSeconds")
    return 30.0 if seconds is None else float(seconds)
