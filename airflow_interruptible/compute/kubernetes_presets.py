# SPDX-License-Identifier: Apache-2.0
"""How the vendors mark spot nodes: labels and taints as data, each with the page that says so.

On-demand is said as "not spot", so that nodes without the vendor's label (reserved, self-managed) count.

Surprising: only AKS taints every spot node by itself. GKE does so where it creates the node pool, and asks people to do
it elsewhere. A toleration of a taint that no node has does nothing, so both are tolerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.pod_patch import PodPatch

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Preset:
    """A vendor's two capacities.

    :param source: where the vendor documents the labels and taints.
    """

    spot: PodPatch
    on_demand: PodPatch
    source: str


def _in(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": [value]}


def _not_in(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "NotIn", "values": [value]}


def _tolerating(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}


_KARPENTER = "karpenter.sh/capacity-type"
_EKS = "eks.amazonaws.com/capacityType"
_GKE_SPOT = "cloud.google.com/gke-spot"
_GKE_PREEMPTIBLE = "cloud.google.com/gke-preemptible"
_GKE_ON_DEMAND = PodPatch(
    match_expressions=(_not_in(_GKE_SPOT, "true"), _not_in(_GKE_PREEMPTIBLE, "true")),
    labels={"cloud.google.com/gke-provisioning": "standard"},
)
_AKS = "kubernetes.azure.com/scalesetpriority"

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "karpenter": Preset(
            PodPatch(match_expressions=(_in(_KARPENTER, "spot"),), labels={_KARPENTER: "spot"}),
            PodPatch(match_expressions=(_not_in(_KARPENTER, "spot"),), labels={_KARPENTER: "on-demand"}),
            "https://karpenter.sh/docs/concepts/scheduling/#well-known-labels",
        ),
        "eks": Preset(
            PodPatch(match_expressions=(_in(_EKS, "SPOT"),), labels={_EKS: "SPOT"}),
            PodPatch(match_expressions=(_not_in(_EKS, "SPOT"),), labels={_EKS: "ON_DEMAND"}),
            "https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html#managed-node-group-capacity-types",
        ),
        "gke": Preset(
            PodPatch(
                tolerations=(_tolerating(_GKE_SPOT, "true"),),
                match_expressions=(_in(_GKE_SPOT, "true"),),
                labels={_GKE_SPOT: "true"},
            ),
            _GKE_ON_DEMAND,
            "https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms",
        ),
        "gke-preemptible": Preset(
            PodPatch(
                tolerations=(_tolerating(_GKE_PREEMPTIBLE, "true"),),
                match_expressions=(_in(_GKE_PREEMPTIBLE, "true"),),
                labels={_GKE_PREEMPTIBLE: "true"},
            ),
            _GKE_ON_DEMAND,
            "https://cloud.google.com/kubernetes-engine/docs/how-to/preemptible-vms",
        ),
        "aks": Preset(
            PodPatch(
                tolerations=(_tolerating(_AKS, "spot"),),
                match_expressions=(_in(_AKS, "spot"),),
                labels={_AKS: "spot"},
            ),
            PodPatch(match_expressions=(_not_in(_AKS, "spot"),)),
            "https://learn.microsoft.com/en-us/azure/aks/spot-node-pool",
        ),
    }
)
