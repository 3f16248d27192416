# SPDX-License-Identifier: Apache-2.0
"""``spot_timeout``: an attempt of KubernetesExecutor whose pod finds no spot node in that time has found no capacity.

Airflow itself would wait for ``task_queued_timeout`` three times and then fail the task. Here a thread of the
scheduler's process lists the pods that wait, every few seconds, takes those that waited too long, and ends their
attempts; so the next ones go on-demand. The scheduler's own loop never waits for it. Each scheduler minds the pods that
it launched or adopted, by its job's id.

Started by the scheduler's heartbeat where ``[core] executor`` has KubernetesExecutor, whatever ``[interruptible]
compute`` says, for a task may name a compute of its own; elsewhere it costs nothing. It fails open: what it cannot do,
Airflow's time-out does later.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote import kubernetes_waiting as pods
from airflow_interruptible.server import unplaced
from airflow_interruptible.server.patrol import Patrol
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_interruptible.core.classification import Classification
    from airflow_interruptible.server.patrol import Round
    from airflow_interruptible.server.seam import Key

log = logging.getLogger(__name__)

T = TypeVar("T")

_OFTEN, _SELDOM = 1.0, 15.0
"""Seconds between two looks: a tenth of the time-out, between these."""

_EXECUTOR = "KubernetesExecutor"
"""Where its class is has changed before, and importing it costs the Kubernetes client; so by its name."""


def wanted(executor: str = _EXECUTOR) -> bool:
    """Whether this deployment has an executor of that kind; by default, one whose pods may wait for a spot node.

    The scheduler has loaded them all before its first heartbeat.
    """
    from airflow.executors.executor_loader import ExecutorLoader

    names = ExecutorLoader.get_executor_names(validate_teams=False)
    classes = [ExecutorLoader.import_executor_cls(name)[0] for name in names]
    return any(base.__name__ == executor for each in classes for base in each.__mro__)


@dataclass
class Watch:
    """Looks after the pods of one scheduler.

    :param job_id: the scheduler's job.
    :param patience: how long a pod may wait.
    """

    job_id: int
    patience: timedelta
    _api: Any = None
    _taken: dict[tuple[Key, int], Classification] = field(default_factory=dict)
    """Attempts whose pod is gone and whose end is yet to be recorded."""
    _refused: set[str] = field(default_factory=set)
    """What has been warned of already."""

    def look(self) -> None:
        """Take every pod that has waited too long, and end the attempts of those that were taken.

        Each namespace and each pod by itself: one that refuses is warned of once, and costs the others nothing.

        :raises Exception: nothing could be looked at, neither in the cluster nor in the database.
        """
        self._api = self._api or pods.client()
        self._end_all_taken()
        looks = [self._looked_at(namespace) for namespace in pods.namespaces()]
        failed = [look for look in looks if look is not None]
        if failed and len(failed) == len(looks):
            raise failed[0]

    def _looked_at(self, namespace: str | None) -> Exception | None:
        """Look after the pods of one namespace.

        :return: why that could not be done.
        """
        where = "any namespace" if namespace is None else f"namespace {namespace}"
        labels = {LABEL: CapacityType.SPOT.value}
        waiting = self._tried(f"listed in {where}", lambda: pods.waiting(self._api, namespace, self.job_id, labels))
        if isinstance(waiting, Exception):
            return waiting
        for pod in waiting:
            self._tried(f"given up: {pod.namespace}/{pod.name}", partial(self._judge, pod))
        left = self._tried(f"listed in {where}", lambda: pods.left_over(self._api, namespace, self.job_id, labels))
        for pod in () if isinstance(left, Exception) else left:
            self._tried(f"deleted: {pod.namespace}/{pod.name}", partial(pods.delete, self._api, pod))
        return None

    def _tried(self, what: str, do: Callable[[], T]) -> T | Exception:
        try:
            return do()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this one, and tried again at the next look
            tell = log.debug if what in self._refused else log.warning
            tell("Pods that wait for a spot node cannot be %s. %s", what, _INSTEAD, exc_info=True)
            self._refused.add(what)
            return error

    def _judge(self, pod: pods.WaitingPod) -> None:
        if pod.created is None or datetime.now(timezone.utc) - pod.created < self.patience:
            return
        why = pods.why(pod)
        which = pods.try_of(pod.annotations)
        if why.cause is not Cause.NO_CAPACITY or which is None or not unplaced.waits(*which, self.job_id):
            return
        said = pods.autoscaler_says(self._api, pod)
        if pods.take(self._api, pod):
            waited = f"no spot node within {self.patience.total_seconds():g} s: {why.reason}"
            self._taken[which] = replace(why, reason=f"{waited}; {said}" if said else waited)
            self._end(which)

    def _end_all_taken(self) -> None:
        for which in list(self._taken):
            self._tried(f"counted: try {which[1]} of {which[0]}", partial(self._end, which))

    def _end(self, which: tuple[Key, int]) -> None:
        """Record the end of an attempt whose pod is gone; it is not forgotten before that has been done."""
        why = self._taken[which]
        if unplaced.end(*which, self.job_id, why):
            key, number = which
            log.info("Try %d of %s found no spot node, so the next one goes on-demand: %s", number, key, why.reason)
            del self._taken[which]


def _begin(job_id: int) -> Round | None:
    if not wanted():
        return None
    patience = get_settings().spot_timeout
    unplaced.check()
    log.info("Pods of scheduler job %d that find no spot node within %s are given up for on-demand.", job_id, patience)
    return Watch(job_id, patience).look, min(max(patience.total_seconds() / 10, _OFTEN), _SELDOM)


_INSTEAD = "Pods that find no spot node wait for [scheduler] task_queued_timeout."

spot_timeout = Patrol("spot_timeout", _begin, _INSTEAD)
