# SPDX-License-Identifier: Apache-2.0
"""Nodes as the vendors make them: their labels and taints for spot and for on-demand, as data.

A preset says only what the vendor documents. An author who wants a taint that his vendor does not set gives it.

Surprising: only AKS taints its spot nodes unasked. EKS and Karpenter label both capacities, GKE spot alone by one label
and both by another, AKS spot alone.
"""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from kubernetes_api.objects import NO_NAMESPACE, Key, Object, dig, now, seconds_stamp
from kubernetes_api.pod_status import set_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CAPACITY_ANNOTATION = "kubernetes-api.test/capacity"
"""How this API tells the capacity of a node; the vendors' labels are for the code under test."""


class Capacity(str, Enum):
    """What a node costs, and whether it may be taken away."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


@dataclass(frozen=True)
class Preset:
    """A vendor's nodes of one capacity.

    :param source: where the vendor documents it.
    """

    capacity: Capacity
    labels: Mapping[str, str]
    source: str
    taints: Sequence[Mapping[str, str]] = field(default=())


_GKE = "https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms"
_GKE_PREEMPTIBLE = "https://cloud.google.com/kubernetes-engine/docs/how-to/preemptible-vms"
_EKS = "https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html#managed-node-group-capacity-types"
_AKS = "https://learn.microsoft.com/en-us/azure/aks/spot-node-pool"
_AKS_LABELS = "https://learn.microsoft.com/en-us/azure/aks/use-labels#reserved-system-labels"
_KARPENTER = "https://karpenter.sh/docs/concepts/scheduling/#well-known-labels"

PRESETS: Mapping[str, Preset] = {
    "gke-spot": Preset(
        Capacity.SPOT, {"cloud.google.com/gke-spot": "true", "cloud.google.com/gke-provisioning": "spot"}, _GKE
    ),
    "gke-preemptible": Preset(
        Capacity.SPOT,
        {"cloud.google.com/gke-preemptible": "true", "cloud.google.com/gke-provisioning": "preemptible"},
        _GKE_PREEMPTIBLE,
    ),
    "gke-on-demand": Preset(Capacity.ON_DEMAND, {"cloud.google.com/gke-provisioning": "standard"}, _GKE),
    "eks-spot": Preset(Capacity.SPOT, {"eks.amazonaws.com/capacityType": "SPOT"}, _EKS),
    "eks-on-demand": Preset(Capacity.ON_DEMAND, {"eks.amazonaws.com/capacityType": "ON_DEMAND"}, _EKS),
    "aks-spot": Preset(
        Capacity.SPOT,
        {"kubernetes.azure.com/scalesetpriority": "spot", "kubernetes.azure.com/mode": "user"},
        _AKS,
        ({"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"},),
    ),
    "aks-on-demand": Preset(Capacity.ON_DEMAND, {"kubernetes.azure.com/mode": "user"}, _AKS_LABELS),
    "karpenter-spot": Preset(
        Capacity.SPOT, {"karpenter.sh/capacity-type": "spot", "karpenter.sh/nodepool": "default"}, _KARPENTER
    ),
    "karpenter-on-demand": Preset(
        Capacity.ON_DEMAND, {"karpenter.sh/capacity-type": "on-demand", "karpenter.sh/nodepool": "default"}, _KARPENTER
    ),
    "plain": Preset(Capacity.ON_DEMAND, {}, "https://kubernetes.io/docs/reference/node/node-labels/"),
}


@dataclass(frozen=True)
class NodeOptions:
    """How one node differs from its preset.

    :param labels: further labels.
    :param taints: further taints, as the API spells them.
    :param cpu: allocatable CPUs.
    :param pods: how many pods fit; the kubelet's default is 110.
    """

    preset: str = "plain"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    cpu: str = "8"
    pods: int = 110


def node_key(name: str) -> Key:
    """Where a node lives."""
    return Key("nodes", NO_NAMESPACE, name)


def capacity_of(node: Object) -> str:
    """The capacity that a node was made with; on-demand when somebody else made it."""
    return str(dig(node, "metadata", "annotations", CAPACITY_ANNOTATION) or Capacity.ON_DEMAND.value)


def new_node(name: str, options: NodeOptions) -> Object:
    """Build a ready node.

    :raises ValueError: for a preset that does not exist.
    """
    if options.preset not in PRESETS:
        raise ValueError(f"there is no node preset {options.preset!r}. There are: {', '.join(PRESETS)}.")
    preset = PRESETS[options.preset]
    room = {"cpu": options.cpu, "memory": "32Gi", "pods": str(options.pods)}
    node: Object = {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": seconds_stamp(now()),
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **preset.labels,
                **options.labels,
            },
            "annotations": {CAPACITY_ANNOTATION: preset.capacity.value},
        },
        "spec": {"providerID": f"test://{name}"},
        "status": {"capacity": room, "allocatable": dict(room), "addresses": [{"type": "Hostname", "address": name}]},
    }
    if taints := [dict(taint) for taint in (*preset.taints, *options.taints)]:
        node["spec"]["taints"] = copy.deepcopy(taints)
    set_condition(node["status"], "Ready", "True", "KubeletReady", "kubelet is posting ready status")
    return node
