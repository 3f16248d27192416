# SPDX-License-Identifier: Apache-2.0
"""Karpenter's and the AWS node termination handler's events and taints, on EKS or any Kubernetes on EC2.

The trap: consolidation, expiry and drift end nodes in the same way as a reclaim, and only the reason tells them apart.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.rules.kubernetes import TAINT

KARPENTER = "https://github.com/kubernetes-sigs/karpenter/tree/main/pkg/controllers"
KARPENTER_AWS = "https://github.com/aws/karpenter-provider-aws/blob/main/pkg/controllers/interruption/events/events.go"
HANDLER = "https://github.com/aws/aws-node-termination-handler/blob/main/pkg/observability/k8s-events.go"
HANDLER_KINDS = "https://github.com/aws/aws-node-termination-handler/tree/main/pkg/monitor"
HANDLER_NODE = "https://github.com/aws/aws-node-termination-handler/blob/main/pkg/node/node.go"

SPOT_WORDS = says(
    r"Spot ITN received\. (?:Instance|i-\w+) will be .*"
    r"|Spot Interruption event received\. Instance i-\w+ will be interrupted at .*"
)

KIND = "Kind | messageKind | message_type"

rule = Table("eks", ("k8s", "eks"), KARPENTER_AWS)

RULES = (
    rule(
        "karpenter-spot",
        {"reason": "SpotInterrupted"},
        Cause.SPOT_INTERRUPTION,
        "Karpenter received the Spot interruption warning",
    ),
    rule(
        "nth-spot",
        {"reason": "SpotInterruption"},
        Cause.SPOT_INTERRUPTION,
        "the node termination handler received the Spot interruption notice",
        source=HANDLER,
    ),
    rule(
        "kind-spot",
        {KIND: ("SPOT_ITN", "spot_interrupted", "SpotInterruptionKind")},
        Cause.SPOT_INTERRUPTION,
        "the handler received the Spot interruption notice",
        source=HANDLER_KINDS,
    ),
    rule(
        "nth-spot-words",
        {"Description | message | reason | (text)": SPOT_WORDS},
        Cause.SPOT_INTERRUPTION,
        "the node termination handler received the Spot interruption notice",
        source=HANDLER_KINDS,
    ),
    rule(
        "kind-maintenance",
        {
            KIND: words("""
                SCHEDULED_EVENT ASG_LIFECYCLE scheduled_change ScheduledChangeKind capacity_reservation_interrupted
            """)
        },
        Cause.INFRASTRUCTURE,
        "maintenance or a scale-in ends the instance",
        source=HANDLER_KINDS,
    ),
    rule(
        "taint-spot",
        {TAINT: "aws-node-termination-handler/spot-itn"},
        Cause.SPOT_INTERRUPTION,
        "the node termination handler received the Spot interruption notice",
        source=HANDLER_NODE,
    ),
    rule(
        "instance-unhealthy", {"reason": "InstanceUnhealthy"}, Cause.INFRASTRUCTURE, "EC2 called the instance unhealthy"
    ),
    rule(
        "interruption-drain",
        {"reason": "TerminatingOnInterruption"},
        Cause.INFRASTRUCTURE,
        "Karpenter drains the node for an interruption event of some kind",
    ),
    rule(
        "capacity-reservation",
        {"reason": "CapacityReservationInterrupted"},
        Cause.INFRASTRUCTURE,
        "EC2 took back an interruptible capacity reservation",
    ),
    rule(
        "disruption",
        {
            "reason": words("""
                DisruptionTerminating DisruptionLaunching DisruptionWaitingReadiness Disrupted NodeClaimDisrupted
                DeprovisioningTerminating DeprovisioningLaunching DeprovisioningWaitingReadiness
                ConsolidationTerminateNode ConsolidationLaunchNode ConsolidationTerminating ConsolidationLaunching
            """)
        },
        Cause.INFRASTRUCTURE,
        "Karpenter replaced the node for reasons of its own",
        source=f"{KARPENTER}/disruption/events/events.go",
    ),
    rule(
        "disruption-condition",
        {
            "conditions.DisruptionReason.True.reason": says(
                r"(?:Consolidatable)?(?:Underutilized|Empty|Drifted|Expired|Consolidat\w+)"
            )
        },
        Cause.INFRASTRUCTURE,
        "Karpenter replaced the node for reasons of its own",
        source=f"{KARPENTER}/disruption/events/events.go",
    ),
    rule(
        "launch-refused",
        {
            "reason | conditions.Launched.False.reason": words("""
                InsufficientCapacityError LaunchFailed CreateInstanceFailed
            """),
            "message | conditions.Launched.False.message": says(
                r".*(?:VcpuLimitExceeded|InstanceLimitExceeded|InsufficientFreeAddressesInSubnet|UnauthorizedOperation"
                r"|resolving node ?class|RegionalCoresQuota|FamilyCores quota).*"
            ),
        },
        Cause.APPLICATION,
        "the account's limits or settings do not allow the node",
        source=f"{KARPENTER}/nodeclaim/lifecycle/launch.go",
    ),
    rule(
        "launch-no-capacity",
        {
            "reason | conditions.Launched.False.reason": ("LaunchFailed", "CreateInstanceFailed"),
            "message | conditions.Launched.False.message": says(
                r".*\b(?:MaxSpotInstanceCountExceeded|SpotMaxPriceTooLow|InsufficientInstanceCapacity"
                r"|UnfulfillableCapacity|SkuNotAvailable|AllocationFailed|ZonalAllocationFailed|OverconstrainedAllocationRequest"
                r"|ZONE_RESOURCE_POOL_EXHAUSTED(?:_WITH_DETAILS)?)\b.*"
            ),
        },
        Cause.NO_CAPACITY,
        "the cloud had no such capacity",
        source=f"{KARPENTER}/nodeclaim/lifecycle/launch.go",
    ),
    rule(
        "no-capacity",
        {"reason | conditions.Launched.False.reason": "InsufficientCapacityError"},
        Cause.NO_CAPACITY,
        "Karpenter could not get a node",
        source=f"{KARPENTER}/nodeclaim/lifecycle/events.go",
    ),
    rule(
        "grace-expiring",
        {"reason": "TerminationGracePeriodExpiring"},
        Cause.INFRASTRUCTURE,
        "Karpenter ended the node",
        source=f"{KARPENTER}/node/termination/terminator/events/events.go",
    ),
    rule(
        "evicted",
        {"reason": "Evicted", "message": says(r"Evicted pod\b.*")},
        Cause.INFRASTRUCTURE,
        "Karpenter drained the node",
        source=f"{KARPENTER}/node/termination/terminator/events/events.go",
    ),
    rule(
        "taint-disrupted",
        {TAINT: ("karpenter.sh/disrupted", "karpenter.sh/disruption")},
        Cause.INFRASTRUCTURE,
        "Karpenter is ending the node",
        source="https://karpenter.sh/docs/concepts/disruption/",
    ),
    rule(
        "nth-maintenance",
        {"reason": ("ScheduledEvent", "ASGLifecycle")},
        Cause.INFRASTRUCTURE,
        "maintenance or a scale-in ends the instance",
        source=HANDLER,
    ),
    rule(
        "nth-drained",
        {"reason": "CordonAndDrain"},
        Cause.INFRASTRUCTURE,
        "the node termination handler drained the node",
        source=HANDLER,
    ),
    rule(
        "nth-evicted",
        {"reason": "PodEviction"},
        Cause.INFRASTRUCTURE,
        "the node termination handler drained the node",
        source=HANDLER_NODE,
    ),
    rule(
        "taint-maintenance",
        {
            TAINT: (
                "aws-node-termination-handler/scheduled-maintenance",
                "aws-node-termination-handler/asg-lifecycle-termination",
            )
        },
        Cause.INFRASTRUCTURE,
        "maintenance or a scale-in ends the instance",
        source=HANDLER_NODE,
    ),
)

UNDECIDED = (
    rule(
        "kind-undecided",
        {
            KIND: words("""
                REBALANCE_RECOMMENDATION SQS_TERMINATE STATE_CHANGE rebalance_recommendation instance_stopped
                instance_terminated RebalanceRecommendationKind StateChangeKind
            """)
        },
        Cause.UNKNOWN,
        "the message does not say that the instance was taken back",
        source=HANDLER_KINDS,
    ),
    rule(
        "rebalance",
        {"reason": ("SpotRebalanceRecommendation", "RebalanceRecommendation")},
        Cause.UNKNOWN,
        "a rebalance recommendation is no interruption",
    ),
    rule(
        "taint-rebalance",
        {TAINT: "aws-node-termination-handler/rebalance-recommendation"},
        Cause.UNKNOWN,
        "a rebalance recommendation is no interruption",
        source=HANDLER_NODE,
    ),
    rule(
        "instance-ending",
        {"reason": ("InstanceStopping", "InstanceTerminating")},
        Cause.UNKNOWN,
        "the instance is ending, and the event does not say why",
    ),
    rule(
        "nth-undecided",
        {"reason": ("SQSTermination", "StateChange", "UnknownInterruption")},
        Cause.UNKNOWN,
        "the instance is ending, and the event does not say why",
        source=HANDLER,
    ),
)
"""What proves nothing, and so takes nothing from what else is known of the node."""
