# SPDX-License-Identifier: Apache-2.0
"""Compute ``none``: the Airflow task itself stays where it is.

For clusters with one kind of machine, and for operators that place their own remote work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.compute.base import Slot
    from airflow_interruptible.core.capacity import CapacityType


class NoCompute:
    """Leave every slot as it is."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        if options:
            raise ConfigurationError(
                f"compute_options has {sorted(options)} but compute is 'none', so they would have no effect. "
                "Name a compute, such as compute = queue, or remove the options."
            )

    def place(self, slot: Slot, capacity: CapacityType) -> Slot:  # noqa: ARG002 - the protocol's signature
        """Return ``slot`` unchanged."""
        return slot

    def check(self, slot: Slot) -> None:
        """Accept every slot."""

    def capacity_of(self, queue: str | None) -> CapacityType | None:  # noqa: ARG002 - the protocol's signature
        """Return None: a queue says nothing here."""
        return None
