# SPDX-License-Identifier: Apache-2.0
"""Compute ``batch``: AwsBatchExecutor runs each attempt as a job of AWS Batch, placed by its queue.

It takes the executor of :mod:`airflow_interruptible.executors.batch`: Amazon's own submits a job that has failed again,
to the same queue, even beside the next attempt.
https://docs.aws.amazon.com/batch/latest/userguide/job_queue_parameters.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.executor_jobs import refuse_executor
from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.compute.base import Slot
    from airflow_interruptible.core.capacity import CapacityType

_QUEUE, _RETRIES = "jobQueue", "retryStrategy"


class BatchCompute:
    """Send spot attempts to one queue and on-demand attempts to the other; Batch itself tries once."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._queues = Pair.from_options("batch", options, '{"spot": "spot-queue", "on_demand": "queue"}')

    def place(self, slot: Slot, capacity: CapacityType) -> Slot:
        """Return ``slot`` in the queue of ``capacity``; a queue that the author chose stays."""
        if not self._movable(slot):
            return slot
        ours = {_QUEUE: self._queues.name_of(capacity), _RETRIES: {"attempts": 1}}
        return replace(slot, executor_config={**slot.executor_config, **ours})

    def check(self, slot: Slot) -> None:
        """Refuse another queue, retries of Batch's own, and a deployment in which no queue can be taken."""
        config = slot.executor_config or {}
        if not self._movable(slot):
            raise ConfigurationError(
                f"executor_config={{{_QUEUE!r}: {config[_QUEUE]!r}}} and compute 'batch' contradict each other: the "
                f"next attempt would have to leave that queue. Drop it: attempts go to {self._queues.spot} or "
                f"{self._queues.on_demand}."
            )
        strategy = config.get(_RETRIES)
        tries = strategy.get("attempts") if isinstance(strategy, dict) else None
        if isinstance(tries, int) and tries > 1:
            raise ConfigurationError(
                f"executor_config={{{_RETRIES!r}: {strategy!r}}} and compute 'batch' contradict each other: Batch "
                "would try again by itself, in the same queue. Drop it, and use retries."
            )
        refuse_executor("batch", slot.executor)

    def capacity_of(self, queue: str | None) -> CapacityType | None:  # noqa: ARG002 - the protocol's signature
        """Return None: Airflow's queue is not Batch's."""
        return None

    def _movable(self, slot: Slot) -> bool:
        queue = (slot.executor_config or {}).get(_QUEUE)
        return queue is None or (isinstance(queue, str) and self._queues.capacity_of(queue) is not None)
