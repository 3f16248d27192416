# SPDX-License-Identifier: Apache-2.0
"""Compute ``queue``: workers on spot machines serve one queue, workers on on-demand machines another.

For CeleryExecutor and EdgeExecutor, whose workers choose what they serve by queue name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.compute.base import Slot
    from airflow_interruptible.core.capacity import CapacityType


class QueueCompute:
    """Send spot attempts to one queue and on-demand attempts to the other."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._queues = Pair.from_options("queue", options, '{"spot": "spot-workers", "on_demand": "default"}')

    def place(self, slot: Slot, capacity: CapacityType) -> Slot:
        """Return ``slot`` on the queue of ``capacity``; a queue that the author chose stays."""
        return replace(slot, queue=self._queues.name_of(capacity)) if self._movable(slot) else slot

    def check(self, slot: Slot) -> None:
        """Refuse a queue that is neither of the two, nor Airflow's default."""
        if not self._movable(slot):
            raise ConfigurationError(
                f"queue={slot.queue!r} and compute 'queue' contradict each other: the next attempt would have to leave "
                'that queue. Drop queue=, or name the pair for this task, such as compute={"name": "queue", '
                f'"spot": "{slot.queue}-spot", "on_demand": "{slot.queue}"}}.'
            )

    def _movable(self, slot: Slot) -> bool:
        return self._queues.capacity_of(slot.queue) is not None or slot.queue in (None, _default_queue())

    def capacity_of(self, queue: str | None) -> CapacityType | None:
        """Return the capacity that ``queue`` stands for."""
        return self._queues.capacity_of(queue)


def _default_queue() -> str:
    from airflow.configuration import conf

    return str(conf.get("operators", "default_queue", fallback="default"))
