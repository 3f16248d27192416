# SPDX-License-Identifier: Apache-2.0
"""Where an attempt may run: on capacity that can be taken away, or on capacity that cannot."""

from __future__ import annotations

from enum import Enum


class CapacityType(str, Enum):
    """The two kinds of capacity, spelled as Karpenter's ``karpenter.sh/capacity-type`` label spells them.

    Source: https://karpenter.sh/docs/concepts/nodepools/
    """

    SPOT = "spot"
    """Cheap, and may be reclaimed at any moment (EC2 Spot, GCE Spot and preemptible, Azure Spot)."""

    ON_DEMAND = "on-demand"
    """Full price, and kept until given back."""

    @property
    def phrase(self) -> str:
        """The capacity as a sentence says it: "on spot", "on demand"."""
        return "on spot" if self is CapacityType.SPOT else "on demand"
