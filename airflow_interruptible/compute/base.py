# SPDX-License-Identifier: Apache-2.0
"""What a compute is: how one kind of cluster is asked for spot or for on-demand.

A compute only rewrites a :class:`Slot`, the three columns of a task instance that tell the scheduler where to send it.
When that is done is not its business: see :mod:`airflow_interruptible.server`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.core.capacity import CapacityType


@dataclass(frozen=True)
class Slot:
    """Where the scheduler sends a task instance. The names are Airflow's."""

    queue: str | None = None
    executor: str | None = None
    executor_config: Mapping[str, Any] = field(default_factory=dict)


class Compute(Protocol):
    """How a cluster is asked for a capacity."""

    def place(self, slot: Slot, capacity: CapacityType) -> Slot:
        """Return ``slot`` changed so that the task instance runs on ``capacity``.

        Idempotent, and reversible by placing on the other capacity: what the author wrote survives.
        """
        ...

    def check(self, slot: Slot) -> None:
        """Refuse an interruptible task whose author asked for a place that this compute would have to overrule.

        :raises ConfigurationError: what was asked for, and what to write instead.
        """
        ...

    def capacity_of(self, queue: str | None) -> CapacityType | None:
        """Return what a worker that serves ``queue`` runs on; None if the queue does not tell."""
        ...
