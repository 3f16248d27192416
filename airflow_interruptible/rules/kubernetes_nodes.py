# SPDX-License-Identifier: Apache-2.0
"""Kubernetes nodes and the scheduler: taints, what could not be placed, events.

The trap: a cordon or a pressure taint keeps pods away and ends none; and "Preempted" is the scheduler making room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, Test, says, words
from airflow_interruptible.rules.azure import SPOT_QUOTA
from airflow_interruptible.rules.gce import SPOT_QUOTA_INSIDE
from airflow_interruptible.rules.kubernetes import AUTOSCALER, DOCS, GCP_SPOT, SHUTDOWN, SOURCE, TAINT, VISIBILITY

if TYPE_CHECKING:
    from collections.abc import Mapping

TAINTS = f"{DOCS}/reference/labels-annotations-taints/"
SCHEDULER = f"{DOCS}/concepts/scheduling-eviction/kube-scheduler/"
PRIORITY = f"{DOCS}/concepts/scheduling-eviction/pod-priority-preemption/"
LIFECYCLE = f"{SOURCE}/controller/nodelifecycle/node_lifecycle_controller.go"


VOLUMES = f"{SOURCE}/scheduler/framework/plugins/volumebinding/volume_binding.go"

NO_CLAIM = says(
    r"(?:(?:\d+/\d+|no) nodes (?:are )?available: )?"
    r"(?:(?:\d+ )?pod has unbound immediate PersistentVolumeClaims"
    r"|persistentvolumeclaim \S+ (?:not found|is being deleted)).*"
)
KUBELETS_LAST_WORDS = says(
    r"Pod was terminated in response to imminent node shutdown\.?|Pod was rejected as the node is shutting down\.?"
    r"|Node is shutting, evicting pods\.?"
)
NODE_SHUTTING: Mapping[str, Test] = {
    "conditions.Ready.False.reason": "KubeletNotReady",
    "conditions.Ready.False.message": says(r"node is shutting down\.?"),
}
NO_ROOM = says(r"(?:\d+/\d+|no) nodes (?:are )?available.*Insufficient .*")

rule = Table("k8s", ("k8s", "eks", "gke", "aks"), TAINTS)

RULES = (
    rule(
        "taint-lost",
        {
            TAINT: (
                "node.kubernetes.io/unreachable",
                "node.kubernetes.io/out-of-service",
                "node.cloudprovider.kubernetes.io/shutdown",
            )
        },
        Cause.INFRASTRUCTURE,
        "the node was lost",
        source=TAINTS,
    ),
    rule(
        "taint-impending",
        {TAINT: "cloud.google.com/impending-node-termination"},
        Cause.INFRASTRUCTURE,
        "GKE is about to end the node",
        source=GCP_SPOT,
    ),
    rule(
        "unschedulable-claim",
        {
            "conditions.PodScheduled.False.reason | reason": ("Unschedulable", "FailedScheduling"),
            "conditions.PodScheduled.False.message | message": NO_CLAIM,
        },
        Cause.UNKNOWN,
        "the pod waits for a volume, which no other node would have either",
        source=VOLUMES,
    ),
    rule(
        "unschedulable",
        {
            "conditions.PodScheduled.False.reason": "Unschedulable",
            "conditions.PodScheduled.False.message": says(r"(?:\d+/\d+|no) nodes (?:are )?available.*Insufficient .*"),
        },
        Cause.NO_CAPACITY,
        "no node had room for the pod",
        source=f"{DOCS}/concepts/scheduling-eviction/kube-scheduler/",
    ),
    rule(
        "unschedulable-on-spot",
        {"conditions.PodScheduled.False.reason": "Unschedulable"},
        Cause.NO_CAPACITY,
        "no spot node could take the pod",
        source=f"{DOCS}/concepts/scheduling-eviction/kube-scheduler/",
        needs=CapacityType.SPOT,
    ),
    rule(
        "failed-scheduling",
        {"reason": "FailedScheduling", "message": says(r"(?:\d+/\d+|no) nodes (?:are )?available.*Insufficient .*")},
        Cause.NO_CAPACITY,
        "no node had room for the pod",
        source=f"{DOCS}/concepts/scheduling-eviction/kube-scheduler/",
    ),
    rule(
        "failed-scheduling-on-spot",
        {"reason": "FailedScheduling"},
        Cause.NO_CAPACITY,
        "no spot node could take the pod",
        source=f"{DOCS}/concepts/scheduling-eviction/kube-scheduler/",
        needs=CapacityType.SPOT,
    ),
    rule(
        "no-scale-up-on-spot",
        {"reason": "NotTriggerScaleUp"},
        Cause.NO_CAPACITY,
        "the cluster autoscaler has no spot node for the pod",
        source=AUTOSCALER,
        needs=CapacityType.SPOT,
    ),
    rule(
        "scale-up-spot-quota",
        {
            "reason": ("FailedScaleUp", "FailedToScaleUpGroup", "ScaleUpFailed"),
            "message": says(rf"{SPOT_QUOTA_INSIDE}|{SPOT_QUOTA}"),
        },
        Cause.NO_CAPACITY,
        "the quota of spot machines is used up, and on-demand ones have another",
        source=VISIBILITY,
    ),
    rule(
        "scale-up-quota",
        {
            "reason": ("FailedScaleUp", "FailedToScaleUpGroup", "ScaleUpFailed"),
            "message": says(
                r"(?:Node scale up|Scale-up) .*(?:GCE quota exceeded|quota .{0,40}exceeded|exceeding approved)\b.*"
            ),
        },
        Cause.APPLICATION,
        "a quota of the project is used up",
        source=VISIBILITY,
    ),
    rule(
        "scale-up-settings",
        {
            "reason": ("FailedScaleUp", "FailedToScaleUpGroup", "ScaleUpFailed"),
            "message": says(
                r".*\b(?:IP space exhausted|service account deleted|AccessDenied|UnauthorizedOperation"
                r"|ValidationError|InvalidParameter\w*|InsufficientFreeAddressesInSubnet|(?:Linked)?AuthorizationFailed"
                r"|RequestDisallowedByPolicy|SubnetIsFull)\b.*"
            ),
        },
        Cause.APPLICATION,
        "the settings of the project or of the node group do not allow the node",
        source=VISIBILITY,
    ),
    rule(
        "failed-scale-up",
        {"reason": ("FailedScaleUp", "FailedToScaleUpGroup", "ScaleUpFailed")},
        Cause.NO_CAPACITY,
        "the cluster autoscaler could not get a node",
        source=AUTOSCALER,
    ),
    rule(
        "scale-up-log-quota",
        {"messageId": "scale.up.error.quota.exceeded"},
        Cause.APPLICATION,
        "a quota of the project is used up",
        source=VISIBILITY,
    ),
    rule(
        "scale-up-log-settings",
        {"messageId": ("scale.up.error.ip.space.exhausted", "scale.up.error.service.account.deleted")},
        Cause.APPLICATION,
        "the settings of the project do not allow the node",
        source=VISIBILITY,
    ),
    rule(
        "scale-up-log",
        {"messageId": "scale.up.error.out.of.resources"},
        Cause.NO_CAPACITY,
        "the zone had no such capacity",
        source=VISIBILITY,
    ),
    rule(
        "scale-up-log-timeout",
        {"messageId": "scale.up.error.waiting.for.instances.timeout"},
        Cause.INFRASTRUCTURE,
        "the new nodes did not come up in time",
        source=VISIBILITY,
    ),
    rule(
        "scale-down-undecided",
        {"reason": ("ScaleDownFailed", "DeletionCandidateOfClusterAutoscaler")},
        Cause.UNKNOWN,
        "the cluster autoscaler left the node in place",
        source=AUTOSCALER,
    ),
    rule(
        "taint-candidate",
        {TAINT: "DeletionCandidateOfClusterAutoscaler"},
        Cause.UNKNOWN,
        "the cluster autoscaler may remove the node later",
        source=AUTOSCALER,
    ),
    rule(
        "event-preempted",
        {"reason": "Preempted"},
        Cause.INFRASTRUCTURE,
        "the scheduler made room for a pod of higher priority",
        source=f"{DOCS}/concepts/scheduling-eviction/pod-priority-preemption/",
    ),
    rule(
        "taint-cancelled",
        {"reason": "TaintManagerEviction", "message": says(r"Cancelling deletion of Pod .*")},
        Cause.UNKNOWN,
        "the node came back, and the pod was left alone",
        source=f"{SOURCE}/controller/tainteviction/taint_eviction.go",
    ),
    rule(
        "event-node",
        {
            "reason": words("""
                NodeNotReady TaintManagerEviction NodeControllerEviction DeletingNode RemovingNode Rebooted
                DeletingAllPods TerminatingEvictedPod DeviceTaintManagerEviction
            """)
        },
        Cause.INFRASTRUCTURE,
        "the node was lost",
        source=f"{SOURCE}/controller/nodelifecycle/node_lifecycle_controller.go",
    ),
    rule(
        "node-missing-on-spot",
        {"node.found": "False"},
        Cause.SPOT_INTERRUPTION,
        "the pod vanished, and its spot node with it",
        source=f"{DOCS}/concepts/architecture/nodes/#node-controller",
        needs=CapacityType.SPOT,
    ),
    rule(
        "node-shutting-down-on-spot",
        NODE_SHUTTING,
        Cause.SPOT_INTERRUPTION,
        "the pod's spot node was shut down",
        source=SHUTDOWN,
        needs=CapacityType.SPOT,
    ),
    rule(
        "node-shutting-down",
        NODE_SHUTTING,
        Cause.INFRASTRUCTURE,
        "the pod's node was shut down",
        source=SHUTDOWN,
    ),
    rule(
        "shutdown-message-on-spot",
        {"message | reason | (text)": KUBELETS_LAST_WORDS},
        Cause.SPOT_INTERRUPTION,
        "the pod's spot node was shut down",
        source=SHUTDOWN,
        needs=CapacityType.SPOT,
    ),
    rule(
        "shutdown-message",
        {"message | reason | (text)": KUBELETS_LAST_WORDS},
        Cause.INFRASTRUCTURE,
        "the pod's node was shut down",
        source=SHUTDOWN,
    ),
)
