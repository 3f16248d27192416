# SPDX-License-Identifier: Apache-2.0
"""A pod's status, as far as it is about one attempt: its own container, and what came first.

The traps: a sidecar's crash or memory kill is not the attempt's; and a container that had ended by itself before the
pod was disrupted was not ended by the disruption, though the pod's conditions say nothing of the order.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import Answer, each, inside, moment, pick
from airflow_interruptible.rules import exits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from airflow_interruptible.core.capacity import CapacityType

_OVER = ("Succeeded", "Failed")
_WORKERS = ("base", "worker")
"""What the container of a task is called: by KubernetesExecutor and pod operators, by the chart's Celery workers."""

_MEMORY = "OOMKilled"


def name_of(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Return the pod's name and its namespace."""
    metadata = inside(pod, "metadata")
    return str(metadata.get("name") or ""), str(metadata.get("namespace") or "default")


def node_of(pod: Mapping[str, Any]) -> str | None:
    """Return the name of its node, None before it has one."""
    return inside(pod, "spec").get("node_name")


def has_ended(pod: Mapping[str, Any], base: str | None = None) -> bool:
    """Whether the attempt in it has: the pod is over or disrupted, or the attempt's own container has failed.

    :param base: the name of that container, None if it goes without saying.
    """
    own = _own(each(inside(pod, "status"), "container_statuses"), base)
    crashed = any(inside(one, "state", "terminated").get("exit_code") for one in own)
    return inside(pod, "status").get("phase") in _OVER or _condition(pod) is not None or crashed


def ended_by_itself(pod: Mapping[str, Any], base: str | None = None) -> bool:
    """Whether the attempt's own container had failed of its own before anything was done to the pod.

    What a signal ended did not end by itself. Times are whole seconds: within one, the disruption is taken to be first.
    """
    disrupted = _disrupted_at(pod)
    if disrupted is None and (_condition(pod) is not None or inside(pod, "status").get("reason")):
        return False  # something was done to it, and nobody says when
    for one in _own(each(inside(pod, "status"), "container_statuses"), base):
        end = inside(one, "state", "terminated")
        at, own = moment(end.get("finished_at")), str(end.get("exit_code")) in exits.OWN or end.get("reason") == _MEMORY
        if own and at is not None and (disrupted is None or at < disrupted.replace(microsecond=0)):
            return True
    return False


def succeeded_too_late(pod: Mapping[str, Any], base: str | None = None) -> bool:
    """Whether the pod succeeded only after it had been told to end: a handled SIGTERM may well exit 0."""
    disrupted = _disrupted_at(pod)
    if disrupted is None or inside(pod, "status").get("phase") != "Succeeded":
        return False
    ends = (moment(inside(one, "state", "terminated").get("finished_at")) for one in own_containers(pod, base))
    return not any(end is not None and end < disrupted.replace(microsecond=0) for end in ends)


def answer_of(pod: Mapping[str, Any], capacity: CapacityType | None = None, base: str | None = None) -> Answer:
    """Return what the pod says of the end of the attempt: what came later than that is not said."""
    name, _ = name_of(pod)
    status, node = inside(pod, "status"), node_of(pod)
    own = _own(each(status, "container_statuses"), base)
    if not any(inside(one, "state", "running") or inside(one, "state", "terminated") for one in own):
        own = [*own, *each(status, "init_container_statuses")]
    payload: dict[str, Any] = {"containerStatuses": [{"state": inside(one, "state")} for one in own]}
    if not ended_by_itself(pod, base):
        conditions = [pick(one, "type", "status", "reason", "message") for one in each(status, "conditions")]
        phase = () if succeeded_too_late(pod, base) else ("phase",)
        payload = {**pick(status, *phase, "reason", "message"), "conditions": conditions, **payload}
    about = {("pod", name.casefold())} | ({("node", str(node).casefold())} if node else set())
    return Answer("k8s", "pod status", payload, about=frozenset(about)).on(capacity and capacity.value)


def as_it_was(pod: dict[str, Any], restarts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the pod as it was when containers of it ended that have been restarted since."""
    return {**pod, "status": {**inside(pod, "status"), "container_statuses": list(restarts)}}


def own_containers(pod: Mapping[str, Any], base: str | None = None) -> list[Mapping[str, Any]]:
    """Return the statuses of the attempt's own container; of none where nobody can tell which it is."""
    return _own(each(inside(pod, "status"), "container_statuses"), base)


def _own(containers: list[Mapping[str, Any]], base: str | None) -> list[Mapping[str, Any]]:
    for name in (base,) if base else _WORKERS:
        found = [one for one in containers if one.get("name") == name]
        if found:
            return found
    return containers if len(containers) == 1 else []


def _condition(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    conditions = each(inside(pod, "status"), "conditions")
    return next(
        (one for one in conditions if (one.get("type"), one.get("status")) == ("DisruptionTarget", "True")), None
    )


def _disrupted_at(pod: Mapping[str, Any]) -> datetime | None:
    """When somebody first told the pod to end, as far as it says so.

    A deletion is stamped with the time at which its grace ends.
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/#ObjectMeta
    """
    metadata = inside(pod, "metadata")
    deadline, grace = moment(metadata.get("deletion_timestamp")), metadata.get("deletion_grace_period_seconds")
    deleted = deadline and deadline - timedelta(seconds=grace if isinstance(grace, int) else 0)
    disrupted = moment((_condition(pod) or {}).get("last_transition_time"))
    return min((at for at in (deleted, disrupted) if at is not None), default=None)
