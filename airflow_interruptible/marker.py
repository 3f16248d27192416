# SPDX-License-Identifier: Apache-2.0
"""What the server must know about a task instance, carried in the one column that every executor leaves alone.

Neither the API server nor the scheduler sees the author's Dag file, only database rows. A row of ours holds a marker
under the key ``interruptible`` of ``executor_config``, which Airflow's REST API shows for every try. Local, Celery,
Edge and Kubernetes executors ignore keys they do not know; Amazon's merge them into calls of boto3, which refuses
them, so a task bound for one of those gets no marker (``_run_task_kwargs`` in ``ecs_executor.py`` and
``batch_executor.py``). Those of :mod:`airflow_interruptible.executors` take it out first.

Anybody may write such a key by hand, so a marker is read as something that may have been forged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from math import isfinite
from typing import Any

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.delay import AuthorBackoff
from airflow_interruptible.core.precedence import Level, checked, resolve
from airflow_interruptible.executor_names import classes_of, path_of

KEY = "interruptible"

_REFUSING_EXECUTORS = frozenset({"AwsEcsExecutor", "AwsBatchExecutor"})
_TOLERANT_EXECUTORS = frozenset({"LocalExecutor", "CeleryExecutor", "KubernetesExecutor", "EdgeExecutor"})

MOST_RETRIES = 999_999
"""The sum of both budgets goes into a column of 32 bits, after it was added to the number of tries before a clear."""

_LONGEST = timedelta(days=365)


def tolerated_by(executor: str | None) -> bool:
    """Whether ``executor`` leaves unknown keys of ``executor_config`` alone.

    The common ones are known by their names. Any other is asked which classes it is made of; one that cannot be
    imported here may be made of one of those that do not.

    :param executor: a class name, its dotted path or its alias; None is the first of ``[core] executor``.
    """
    return _tolerates(path_of(executor))


@cache
def _tolerates(path: str) -> bool:
    module, _, name = path.rpartition(".")
    if name in _REFUSING_EXECUTORS:
        return False
    if not module or name in _TOLERANT_EXECUTORS or module.startswith("airflow_interruptible."):
        return True
    classes = classes_of(path)
    return classes is not None and _REFUSING_EXECUTORS.isdisjoint(classes)


def without_marker(executor_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``executor_config`` as its author wrote it."""
    return {key: value for key, value in executor_config.items() if key != KEY}


@dataclass(frozen=True)
class Marker:
    """What the server must know.

    :param interruptible: the setting as the Dag file resolved it; a run's conf may overrule it.
    :param capacity: what the attempt of this row runs on.
    :param teardown: the task is a teardown, to which a run's conf says nothing.
    :param placed: whether anything sends the attempts where they belong; if not, ``capacity`` is what would have been.
    :param system_retry_delay: see :func:`airflow_interruptible.core.delay.system_delay`.
    :param compute: the task's own ``compute`` argument as a mapping, None for the one in airflow.cfg.
    :param backoff: the author's delays, if they grow; Airflow would let them grow with forgiven attempts, too.
    """

    interruptible: bool
    budget: Budget
    capacity: CapacityType
    system_retry_delay: timedelta
    compute: Mapping[str, Any] | None = field(default=None)
    teardown: bool = False
    placed: bool = True
    backoff: AuthorBackoff | None = None

    def resolved(self, conf: Mapping[str, Any]) -> bool:
        """Return the setting that applies in a run with that ``conf``.

        A conf that cannot be meant counts as False: the worker refuses to run it, so no spot machine need be found.
        """
        try:
            said = checked(conf.get("interruptible"), Level.RUN)
        except TypeError:
            said = False
        return resolve({Level.RUN: said, Level.TASK: self.interruptible}, teardown=self.teardown).interruptible

    def to_config(self, executor_config: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``executor_config`` with this marker in it."""
        value: dict[str, Any] = {
            "interruptible": self.interruptible,
            "capacity": self.capacity.value,
            "user_retries": self.budget.user_retries,
            "system_retries": self.budget.system_retries,
            "system_retry_delay": self.system_retry_delay.total_seconds(),
        }
        if self.teardown:
            value["teardown"] = True
        if not self.placed:
            value["placed"] = False
        if self.compute is not None:
            value["compute"] = dict(self.compute)
        if self.backoff is not None:
            longest = self.backoff.max_retry_delay
            value["retry_delay"] = self.backoff.retry_delay.total_seconds()
            value["retry_exponential_backoff"] = self.backoff.multiplier
            value["max_retry_delay"] = longest and longest.total_seconds()
        return {**executor_config, KEY: value}

    @classmethod
    def from_config(cls, executor_config: object) -> Marker | None:
        """Return the marker in ``executor_config``, None if there is none or it is not one of ours."""
        value = executor_config.get(KEY) if isinstance(executor_config, Mapping) else None
        if not isinstance(value, Mapping):
            return None
        try:
            return cls(
                interruptible=value["interruptible"] is True,
                budget=Budget(_retries(value["user_retries"]), _retries(value["system_retries"])),
                capacity=CapacityType(value["capacity"]),
                system_retry_delay=_seconds(value["system_retry_delay"]),
                compute=value.get("compute"),
                teardown=value.get("teardown") is True,
                placed=value.get("placed") is not False,
                backoff=_backoff(value) if "retry_exponential_backoff" in value else None,
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


def _retries(value: object) -> int:
    if isinstance(value, int) and value <= MOST_RETRIES:
        return value
    raise ValueError(f"{value!r} is not a number of retries")


def _seconds(value: Any) -> timedelta:
    seconds = timedelta(seconds=value)
    if timedelta(0) <= seconds <= _LONGEST:
        return seconds
    raise ValueError(f"{value!r} is not a number of seconds")


def _backoff(value: Mapping[str, Any]) -> AuthorBackoff:
    longest, multiplier = value["max_retry_delay"], value["retry_exponential_backoff"]
    if not isinstance(multiplier, float) or not isfinite(multiplier):
        raise ValueError(f"{multiplier!r} is not a multiplier")
    return AuthorBackoff(_seconds(value["retry_delay"]), multiplier, None if longest is None else _seconds(longest))
