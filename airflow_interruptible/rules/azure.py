# SPDX-License-Identifier: Apache-2.0
"""Azure machines and AKS nodes: Scheduled Events, node conditions made of them, health annotations, allocation errors.

The trap: an event lists the machines it is about, and a scale set's metadata service shows everybody's.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.rules.kubernetes import TAINT

EVENTS = "https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events"
NODES = "https://learn.microsoft.com/azure/aks/node-auto-repair"
HEALTH = "https://learn.microsoft.com/azure/service-health/resource-health-vm-annotation"
ALLOCATION = "https://learn.microsoft.com/azure/virtual-machines/allocation-failure"
QUOTA = "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-resource-quota"

SPOT_TROUBLES = "https://learn.microsoft.com/azure/virtual-machines/error-codes-spot"
REMEDIATOR = "remediator.aks.microsoft.com/unschedulable"

PREEMPTING = words(
    "PreemptScheduled PreemptionScheduled SpotEvictionIncoming kubernetes.azure.com/SpotEvictionIncoming"
)
"""The condition's names: the node problem detector's of AKS, since 2026 another, and Karpenter's for it.
https://github.com/Azure/karpenter-provider-azure/pull/1695, https://github.com/Azure/karpenter-provider-azure/pull/1829"""

SPOT_CORES = (
    r"exceeding approved .?(?:Total Regional )?(?:Low-?Priority|Spot)[\w -]*.? ?quota.*"
    r"|exceeding quota limits of .?(?:Total Regional )?(?:Low-?Priority|Spot) ?(?:v?CPU|Core)s?\b.*"
    r"|Total Regional (?:Low-priority|Spot) vCPUs.*"
)
SPOT_QUOTA = rf"(?:.{{0,200}}\b)?(?:{SPOT_CORES})"
"""The words of a quota error that is about spot cores. On-demand cores have another quota."""

MESSAGE = "error.message | message | error.details.message | error.details.message.error.message"

CODE = "error.details.message.error.code | error.code | code | error.details.code | innererror.code"

rule = Table("azure", ("aks",), EVENTS)

RULES = (
    rule("preempt", {"EventType": "Preempt"}, Cause.SPOT_INTERRUPTION, "Azure is evicting the spot machine"),
    rule(
        "asked-for",
        {"EventType": ("Freeze", "Reboot", "Redeploy", "Terminate"), "EventSource": "User"},
        Cause.UNKNOWN,
        "somebody asked for what happens to the machine, and the event does not say who",
    ),
    rule(
        "deleted",
        {"EventType": "Terminate"},
        Cause.UNKNOWN,
        "the machine is being deleted, by a person or by a scale-in",
    ),
    rule(
        "scheduled",
        {"EventType": ("Freeze", "Reboot", "Redeploy")},
        Cause.INFRASTRUCTURE,
        "Azure is freezing, restarting or moving the machine",
    ),
    rule(
        "node-preempt",
        {"NodeCondition": PREEMPTING, "status": "True"},
        Cause.SPOT_INTERRUPTION,
        "Azure is evicting the spot node",
        source=NODES,
    ),
    rule(
        "condition-preempt",
        {" | ".join(f"conditions.{kind}.True.status" for kind in PREEMPTING): "True"},
        Cause.SPOT_INTERRUPTION,
        "Azure is evicting the spot node",
        source=NODES,
    ),
    rule(
        "event-preempt",
        {
            "type | reason | conditions.VMEventScheduled.True.reason": (*PREEMPTING, "VMEventScheduled"),
            "message | conditions.VMEventScheduled.True.message": says(r"Preempt Scheduled: .*"),
        },
        Cause.SPOT_INTERRUPTION,
        "Azure is evicting the spot node",
        source=NODES,
    ),
    rule(
        "event-preempt-reason",
        {"reason": PREEMPTING},
        Cause.SPOT_INTERRUPTION,
        "Azure is evicting the spot node",
        source=NODES,
    ),
    rule(
        "node-scheduled",
        {"NodeCondition": ("FreezeScheduled", "RebootScheduled", "RedeployScheduled"), "status": "True"},
        Cause.INFRASTRUCTURE,
        "Azure is freezing, restarting or moving the node",
        source=NODES,
    ),
    rule(
        "condition-scheduled",
        {" | ".join(f"conditions.{c}Scheduled.True.status" for c in ("Freeze", "Reboot", "Redeploy")): "True"},
        Cause.INFRASTRUCTURE,
        "Azure is freezing, restarting or moving the node",
        source=NODES,
    ),
    rule(
        "event-scheduled",
        {
            "type | reason | conditions.VMEventScheduled.True.reason": words("""
                FreezeScheduled RebootScheduled RedeployScheduled VMEventScheduled
            """),
            "message | conditions.VMEventScheduled.True.message": says(r"(?:Freeze|Reboot|Redeploy) Scheduled: .*"),
        },
        Cause.INFRASTRUCTURE,
        "Azure is freezing, restarting or moving the node",
        source=NODES,
    ),
    rule(
        "evicted",
        {
            "operationName | operationName.value | OperationNameValue": says(
                r"Microsoft\.Compute/virtualMachine(?:s|ScaleSets|ScaleSets/virtualMachines)/evictSpotVM/action"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "Azure evicted the spot machine",
        source="https://github.com/yugabyte/yugabyte-db/tree/master/managed/src/main/java/com/yugabyte/yw",
    ),
    rule(
        "annotation-preempted",
        {"annotationName": says(r"VirtualMachine(?:LowPriority|Spot)?(?:Vm)?Preempt(?:ed|ion)")},
        Cause.SPOT_INTERRUPTION,
        "Azure evicted the spot machine",
        source=HEALTH,
    ),
    rule(
        "annotation-platform",
        {"annotationName": says(r"VirtualMachine\w+|LiveMigration\w+"), "context": "Platform Initiated"},
        Cause.INFRASTRUCTURE,
        "Azure restarted, moved or lost the machine",
        source=HEALTH,
    ),
    rule(
        "drained-on-spot",
        {TAINT: REMEDIATOR},
        Cause.SPOT_INTERRUPTION,
        "AKS drains the spot node for a scheduled event",
        source=NODES,
        needs=CapacityType.SPOT,
    ),
    rule(
        "drained", {TAINT: REMEDIATOR}, Cause.INFRASTRUCTURE, "AKS drains the node for a scheduled event", source=NODES
    ),
    rule(
        "health-platform",
        {"cause": ("PlatformInitiated", "Platform Initiated"), "currentHealthStatus": ("Unavailable", "Degraded")},
        Cause.INFRASTRUCTURE,
        "Azure restarted, moved or lost the machine",
        source=HEALTH,
    ),
    rule(
        "health-asked-for",
        {"cause": ("UserInitiated", "User Initiated")},
        Cause.UNKNOWN,
        "somebody asked for what happened to the machine, and the event does not say who",
        source=HEALTH,
    ),
    rule(
        "operation-preempted",
        {CODE: ("OperationPreempted", "OperationPreemptedByMoreRecentRequest")},
        Cause.UNKNOWN,
        "a later request overtook this one; nothing was evicted",
        source="https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors",
    ),
    rule(
        "spot-quota",
        {
            CODE: ("QuotaExceeded", "OperationNotAllowed", "ResourceQuotaExceeded", "InvalidTemplateDeployment"),
            MESSAGE: says(SPOT_QUOTA),
        },
        Cause.NO_CAPACITY,
        "the quota of spot cores is used up, and on-demand ones have another",
        source=SPOT_TROUBLES,
    ),
    rule(
        "spot-quota-message",
        {
            "message | reason | (text)": says(
                rf"Operation (?:could not be completed as it )?results in (?:{SPOT_CORES})"
            )
        },
        Cause.NO_CAPACITY,
        "the quota of spot cores is used up, and on-demand ones have another",
        source=SPOT_TROUBLES,
    ),
    rule(
        "allocation-status",
        {
            "statuses.code | instanceView.statuses.code": says(
                r"ProvisioningState/failed/(?:SkuNotAvailable|\w*AllocationFailed|Overconstrained\w*AllocationRequest)"
            )
        },
        Cause.NO_CAPACITY,
        "Azure had no such capacity",
        source=ALLOCATION,
    ),
    rule(
        "no-capacity",
        {
            CODE: words("""
                SkuNotAvailable OverconstrainedAllocationRequest OverconstrainedZonalAllocationRequest
                AllocationFailed ZonalAllocationFailed AllocationTimeout Compute.OverconstrainedAllocationRequest
                SpotPriceGreaterThanProvidedMaxPrice Compute.AllocationFailed Compute.ZonalAllocationFailed
            """)
        },
        Cause.NO_CAPACITY,
        "Azure had no such capacity",
        source=ALLOCATION,
    ),
    rule(
        "quota",
        {CODE: ("QuotaExceeded", "OperationNotAllowed", "ResourceQuotaExceeded")},
        Cause.APPLICATION,
        "a quota of the subscription is used up",
        source=QUOTA,
    ),
)
