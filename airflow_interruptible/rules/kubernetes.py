# SPDX-License-Identifier: Apache-2.0
"""Kubernetes: pod reasons, conditions, container states, taints, exit codes; so also EKS, GKE and AKS.

The traps: "preempted" is the scheduler's or the kubelet's word for making room and never about spot; an eviction
because the pod itself used too much disk is the author's; and a handled SIGTERM exits 0 or 1, so a disruption condition
is stronger than an exit code.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.core.surface import Naming, Surface
from airflow_interruptible.rules.kubernetes_logs import READINGS

NODE_LABELS = {
    "cloud.google.com/gke-spot": {"true": CapacityType.SPOT, "false": CapacityType.ON_DEMAND},
    "cloud.google.com/gke-preemptible": {"true": CapacityType.SPOT},
    "cloud.google.com/gke-provisioning": {
        "spot": CapacityType.SPOT,
        "preemptible": CapacityType.SPOT,
        "standard": CapacityType.ON_DEMAND,
    },
    "eks.amazonaws.com/capacityType": {"SPOT": CapacityType.SPOT, "ON_DEMAND": CapacityType.ON_DEMAND},
    "karpenter.sh/capacity-type": {"spot": CapacityType.SPOT, "on-demand": CapacityType.ON_DEMAND},
    "kubernetes.azure.com/scalesetpriority": {"spot": CapacityType.SPOT, "regular": CapacityType.ON_DEMAND},
    "node.kubernetes.io/lifecycle": {"spot": CapacityType.SPOT, "Ec2Spot": CapacityType.SPOT},
}
"""Labels that clouds put on nodes. The pod's own labels are the author's, and prove nothing."""

SURFACE = Surface(
    services={
        "k8s": ("kubernetes", "kube", "openshift", "kueue"),
        "eks": ("aws-eks", "karpenter", "aws-node-termination-handler", "nth"),
        "gke": ("google-gke", "gke-autopilot"),
        "aks": ("azure-aks", "azure", "azure-vm", "azurevm", "vmss"),
    },
    envelopes=words("""
        Records body detail object pod remote_pod status state containerStatuses initContainerStatuses Events items
        node_events pod_events data resourceInfo properties
    """),
    apart=words("node_event pod_event event nodeclaim_event"),
    strings={
        "pod status": "reason",
        "event": "reason",
        "container state": "terminated.reason",
        "exit code": "terminated.exitCode",
    },
    readings=READINGS,
    main=("name", "base"),
    machines=(
        Naming("vm", "Resources"),
        Naming("instance", "instance-id"),
        Naming("instance", "EC2InstanceId"),
        Naming("instance", "spec.providerID"),
        Naming("node", "node"),
        Naming("node", "Node.name"),
        Naming("node", "NodeName"),
        Naming("node", "spec.nodeName"),
        *(
            Naming(thing, f"{field}.name", where=(f"{field}.kind", kind))
            for field in ("involvedObject", "regarding")
            for thing, kind in (("node", "Node"), ("pod", "Pod"))
        ),
        *(
            Naming(thing, "metadata.name", where=("kind", kind))
            for thing, kinds in (("node", ("Node", "NodeList")), ("pod", ("Pod", "PodList")))
            for kind in kinds
        ),
    ),
    capacity={
        f"{place}.{label}": words
        for label, words in NODE_LABELS.items()
        for place in ("node.labels", "node.metadata.labels", "nodeLabels")
    },
    success={"phase": "Succeeded"},
)

DOCS = "https://kubernetes.io/docs"
SOURCE = "https://github.com/kubernetes/kubernetes/blob/master/pkg"
DISRUPTIONS = f"{DOCS}/concepts/workloads/pods/disruptions/"
SHUTDOWN = f"{DOCS}/concepts/cluster-administration/node-shutdown/"
PRESSURE = f"{DOCS}/concepts/scheduling-eviction/node-pressure-eviction/"
ADMISSION = f"{SOURCE}/kubelet/lifecycle/predicate.go"
LIFECYCLE = f"{DOCS}/concepts/workloads/pods/pod-lifecycle/"
GCP_SPOT = "https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms"
VISIBILITY = "https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-autoscaler-visibility"
AUTOSCALER = "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md"

DISRUPTED = "conditions.DisruptionTarget.True.reason"
TAINT = "node.taint | node.spec.taints.key | spec.taints.key | taints.key | taint.key | taint"
NODE_IS_SHUTTING = r"Pod was terminated in response to imminent node shutdown\.?"

rule = Table("k8s", ("k8s", "eks", "gke", "aks"), LIFECYCLE)

RULES = (
    rule(
        "shutdown-cancelled",
        {"reason": "Shutdown", "message": says(r"Shutdown manager detected shutdown cancellation\.?")},
        Cause.UNKNOWN,
        "the node's shutdown was called off",
        source=f"{SOURCE}/kubelet/nodeshutdown/nodeshutdown_manager_linux.go",
    ),
    rule(
        "node-gone-on-spot",
        {DISRUPTED: "DeletionByPodGC"},
        Cause.SPOT_INTERRUPTION,
        "the pod's spot node no longer exists",
        source=DISRUPTIONS,
        needs=CapacityType.SPOT,
    ),
    rule(
        "kubelet-shutdown-on-spot",
        {
            DISRUPTED: "TerminationByKubelet",
            "conditions.DisruptionTarget.True.message | message": says(NODE_IS_SHUTTING),
        },
        Cause.SPOT_INTERRUPTION,
        "the pod's spot node was shut down",
        source=SHUTDOWN,
        needs=CapacityType.SPOT,
    ),
    rule(
        "shutdown-on-spot",
        {"reason": ("Terminated", "Shutdown", "NodeShutdown")},
        Cause.SPOT_INTERRUPTION,
        "the pod's spot node was shut down",
        source=GCP_SPOT,
        needs=CapacityType.SPOT,
    ),
    rule(
        "impending-termination-on-spot",
        {TAINT: "cloud.google.com/impending-node-termination"},
        Cause.SPOT_INTERRUPTION,
        "the pod's spot node was given notice",
        source=GCP_SPOT,
        needs=CapacityType.SPOT,
    ),
    rule(
        "openshift-terminating",
        {"conditions.Terminating.True.reason": "TerminationRequested"},
        Cause.SPOT_INTERRUPTION,
        "OpenShift's termination handler heard that the cloud takes the spot machine back",
        source="https://github.com/openshift/machine-api-operator/blob/main/docs/user/spot-instances.md",
    ),
    rule(
        "scheduler-preempted",
        {DISRUPTED: ("PreemptionByScheduler", "PreemptionByKubeScheduler")},
        Cause.INFRASTRUCTURE,
        "the scheduler made room for a pod of higher priority",
        source=DISRUPTIONS,
    ),
    rule(
        "taint-manager",
        {DISRUPTED: ("DeletionByTaintManager", "DeletionByDeviceTaintManager")},
        Cause.INFRASTRUCTURE,
        "the node was tainted NoExecute: unreachable, not ready or drained",
        source=DISRUPTIONS,
    ),
    rule(
        "evicted-by-api",
        {DISRUPTED: "EvictionByEvictionAPI"},
        Cause.INFRASTRUCTURE,
        "the pod was evicted: a drain, an autoscaler, an operator",
        source=DISRUPTIONS,
    ),
    rule(
        "node-gone",
        {DISRUPTED: "DeletionByPodGC"},
        Cause.INFRASTRUCTURE,
        "the pod's node no longer exists",
        source=DISRUPTIONS,
    ),
    rule(
        "kubelet-terminated",
        {DISRUPTED: "TerminationByKubelet"},
        Cause.INFRASTRUCTURE,
        "the kubelet ended the pod: pressure, a shutdown or a critical pod",
        source=DISRUPTIONS,
    ),
    rule(
        "disrupted",
        {"conditions.DisruptionTarget.True.status": "True"},
        Cause.INFRASTRUCTURE,
        "the pod was disrupted from outside",
        source=DISRUPTIONS,
    ),
    rule(
        "shutdown",
        {
            "reason": ("Terminated", "Shutdown", "NodeShutdown"),
            "message": says(
                r"(?:Pod was (?:terminated in response to imminent node shutdown|rejected as the node is shutting down)"
                r"|Node is shutting, evicting pods"
                r"|Pod Node is in progress of shutting down, not admitting any new pods).*"
            ),
        },
        Cause.INFRASTRUCTURE,
        "the pod's node was shut down",
        source=SHUTDOWN,
    ),
    rule(
        "shutdown-bare",
        {"reason": ("Terminated", "Shutdown", "NodeShutdown")},
        Cause.INFRASTRUCTURE,
        "the pod's node was shut down",
        source=SHUTDOWN,
    ),
    rule(
        "node-lost",
        {"reason": "NodeLost"},
        Cause.INFRASTRUCTURE,
        "the pod's node does not answer",
        source=f"{SOURCE}/util/node/node.go",
    ),
    rule(
        "kubelet-preempting",
        {"reason": "Preempting"},
        Cause.INFRASTRUCTURE,
        "the kubelet made room for a critical pod",
        source=f"{SOURCE}/kubelet/preemption/preemption.go",
    ),
    rule(
        "node-pressure",
        {
            "reason": "Evicted",
            "message": says(
                r"(?:The node was low on resource: |Pod The node had condition: |The node had condition: ).*"
            ),
        },
        Cause.INFRASTRUCTURE,
        "the node ran low on a resource",
        source=PRESSURE,
    ),
    rule(
        "not-admitted",
        {
            "reason": words("""
                NodeAffinity NodeName NodePorts MatchNodeSelector TaintToleration UnexpectedAdmissionError OutOfcpu
                OutOfmemory OutOfpods OutOfephemeral-storage InvalidNodeInfo UnexpectedPredicateFailureType
                UnknownReason TopologyAffinityError
            """)
        },
        Cause.INFRASTRUCTURE,
        "the kubelet refused the pod after it had been placed: it never ran",
        source=ADMISSION,
    ),
    rule(
        "not-admitted-device",
        {"reason": says(r"OutOf[a-z0-9.-]+/[a-z0-9.-]+")},
        Cause.INFRASTRUCTURE,
        "the kubelet refused the pod after it had been placed: it never ran",
        source=ADMISSION,
    ),
    rule(
        "node-unknown",
        {"conditions.Ready.Unknown.reason": ("NodeStatusUnknown", "NodeStatusNeverUpdated")},
        Cause.INFRASTRUCTURE,
        "the node's kubelet stopped reporting",
        source=f"{DOCS}/reference/node/node-status/",
    ),
)
