# SPDX-License-Identifier: Apache-2.0
"""Compute ``executor``: several executors are configured, one on spot machines and one on on-demand machines.

The names are those that ``[core] executor`` gives: a class name, a module path, or an alias.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.compute.base import Slot


_LONGEST = 1000
"""``TaskInstance.executor``."""


class ExecutorCompute:
    """Send spot attempts to one executor and on-demand attempts to the other."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        example = '{"spot": "CeleryExecutor", "on_demand": "LocalExecutor"}'
        self._executors = Pair.from_options("executor", options, example, longest=_LONGEST)

    def place(self, slot: Slot, capacity: CapacityType) -> Slot:
        """Return ``slot`` on the executor of ``capacity``; an executor that the author chose stays."""
        return replace(slot, executor=self._executors.name_of(capacity)) if self._movable(slot) else slot

    def check(self, slot: Slot) -> None:
        """Refuse an executor that is neither of the two, and a pair that Airflow does not have."""
        if not self._movable(slot):
            raise ConfigurationError(
                f"executor={slot.executor!r} and compute 'executor' contradict each other: the next attempt would "
                "have to leave that executor. Drop executor=, or make it one of the two in compute_options."
            )
        for capacity in CapacityType:
            _check_configured(self._executors.name_of(capacity))

    def _movable(self, slot: Slot) -> bool:
        return slot.executor is None or self._executors.capacity_of(slot.executor) is not None

    def capacity_of(self, queue: str | None) -> CapacityType | None:  # noqa: ARG002 - the protocol's signature
        """Return None: the executor is not told to the worker."""
        return None


def _check_configured(name: str) -> None:
    from airflow.exceptions import UnknownExecutorException
    from airflow.executors.executor_loader import ExecutorLoader

    try:
        ExecutorLoader.lookup_executor_name_by_str(name)
    except UnknownExecutorException as error:
        raise ConfigurationError(
            f"compute 'executor' names {name!r}, which executor in section core of airflow.cfg does not have: the "
            "scheduler could never start the task. Add it there, or correct compute_options."
        ) from error
