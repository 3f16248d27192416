# SPDX-License-Identifier: Apache-2.0
"""Azure machines and AKS nodes: Scheduled Events, node conditions made of them, health annotations, allocation errors.

The trap: an event lists the machines it is about, and a scale set's metadata service shows everybody's.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words

EVENTS = "https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events"
NODES = "https://learn.microsoft.com/azure/aks/node-auto-repair"
HEALTH = "https://learn.microsoft.com/azure/service-health/resource-health-vm-annotation"
ALLOCATION = "https://learn.microsoft.com/azure/virtual-machines/allocation-failure"
QUOTA = "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-resource-quota"

CODE = "error.code | code | error.details.code | innererror.code"

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
        {"NodeCondition": "PreemptScheduled", "status": "True"},
        Cause.SPOT_INTERRUPTION,
        "Azure is evicting the spot node",
        source=NODES,
    ),
    rule(
        "condition-preempt",
        {"conditions.PreemptScheduled.True.status": "True"},
        Cause.SPOT_INTERRUPTION,
        "Azure is evicting the spot node",
        source=NODES,
    ),
    rule(
        "event-preempt",
        {
            "type | reason | conditions.VMEventScheduled.True.reason": ("PreemptScheduled", "VMEventScheduled"),
            "message | conditions.VMEventScheduled.True.message": says(r"Preempt Scheduled: .*"),
        },
        Cause.SPOT_INTERRUPTION,
        "Azure is evicting the spot node",
        source=NODES,
    ),
    rule(
        "event-preempt-reason",
        {"reason": "PreemptScheduled"},
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
        {"annotationName": "VirtualMachinePreempted"},
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
        "no-capacity",
        {
            CODE: words("""
                SkuNotAvailable OverconstrainedAllocationRequest OverconstrainedZonalAllocationRequest
                AllocationFailed ZonalAllocationFailed AllocationTimeout Compute.OverconstrainedAllocationRequest
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
