# SPDX-License-Identifier: Apache-2.0
"""Waiting until pods are at work no longer: they are gone, all of their containers have ended, or their node is gone.

Bounded by what each pod is granted itself, since a pod on a node that does not answer is listed for ever. After that
time the kubelet has killed it, wherever there is a kubelet left.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.kubernetes_client import SECONDS, is_gone
from airflow_interruptible.worker.launched_pods import is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

DEFAULT_GRACE = 30.0
"""Seconds that Kubernetes grants where the pod does not say."""

MARGIN = 10.0
"""Seconds for the kubelet to kill what has not ended, and to say so."""

_POLL = 0.5
_ASK_NODE_EVERY = 5.0


@dataclass
class _Ending:
    """A pod whose end is waited for.

    :param until: when it has been killed at the latest, on this process's own clock: others' clocks may differ.
    :param deleted: whether it was being deleted when it was last looked at, which may have come with another grace.
    """

    pod: Any
    until: float
    deleted: bool
    node_asked: float

    @classmethod
    def of(cls, pod: Any, now: float) -> _Ending:
        return cls(pod, now + grace_of(pod) + MARGIN, pod.metadata.deletion_timestamp is not None, now)

    def is_over(self, client: Any, now: float) -> bool:
        metadata = self.pod.metadata
        try:
            seen = client.read_namespaced_pod(metadata.name, metadata.namespace, _request_timeout=SECONDS)
        except Exception as error:  # noqa: BLE001 - what could not be looked at has not been seen to end
            return is_gone(error)
        if metadata.uid not in (None, seen.metadata.uid) or getattr(seen.status, "phase", None) in (
            "Failed",
            "Succeeded",
        ):
            return True
        if seen.metadata.deletion_timestamp is not None and not self.deleted:
            self.deleted, self.until = True, now + grace_of(seen) + MARGIN
        if seen.spec.node_name and now - self.node_asked >= _ASK_NODE_EVERY:
            self.node_asked = now
            return is_missing(seen.spec.node_name, client)
        return False


def grace_of(pod: Any) -> float:
    """Return how many seconds a pod has to end, at most, from now on."""
    if pod.metadata.deletion_timestamp is not None:
        return float(pod.metadata.deletion_grace_period_seconds or 0)
    if not pod.spec.node_name:
        return 0.0  # there is no kubelet to wait for
    granted = pod.spec.termination_grace_period_seconds
    return DEFAULT_GRACE if granted is None else float(granted)


def await_end(
    pods: Iterable[Any],
    client: Any,
    *,
    latest: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Any]:
    """Wait until these pods are at work no longer.

    :param pods: which are ending, or are about to.
    :param latest: until when, on this clock; without it, as long as the pods have themselves.
    :return: those that were still listed when their time was up.
    """
    waiting = [_Ending.of(pod, clock()) for pod in pods]
    late: list[Any] = []
    while waiting := [one for one in waiting if not one.is_over(client, clock())]:
        late += [one.pod for one in waiting if clock() >= min(one.until, latest)]
        waiting = [one for one in waiting if clock() < min(one.until, latest)]
        if waiting:
            sleep(_POLL)
    return late
