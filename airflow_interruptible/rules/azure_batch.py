# SPDX-License-Identifier: Apache-2.0
"""Azure Batch: states of compute nodes, failure information of tasks, resize errors of pools.

The surprising fact: the service itself puts the tasks of a preempted node back into the queue.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, words
from airflow_interruptible.core.surface import Naming, Surface
from airflow_interruptible.rules import exits

SURFACE = Surface(
    services={"azurebatch": ("azure-batch", "azure batch", "azure_batch")},
    envelopes=("task", "node", "computeNode", "pool", "body", "properties"),
    machines=(Naming("node", "nodeId"), Naming("node", "nodeInfo.nodeId")),
    strings={"statusReason": "BatchNodeState", "exit code": "executionInfo.exitCode", "event": "BatchNodeState"},
)

REST = "https://learn.microsoft.com/rest/api/batchservice"
NODE = "https://learn.microsoft.com/dotnet/api/azure.compute.batch.batchnodestate"
TASK = f"{REST}/task/get"
POOL = "https://learn.microsoft.com/azure/batch/batch-pool-node-error-checking"

STATE = "BatchNodeState | nodeState | computeNodeState | state"
FAILURE = "executionInfo.failureInfo | failureInfo | schedulingError | executionInfo.schedulingError"
CATEGORY = " | ".join(f"{place.strip()}.category" for place in FAILURE.split("|"))
FAILURE_CODE = " | ".join(f"{place.strip()}.code" for place in FAILURE.split("|"))
RELAYED = "resizeErrors.values.value.error.code | values.value.error.code"
RESIZE = "resizeErrors.code | resizeError.code | code"

rule = Table("azurebatch", ("azurebatch",), NODE)

RULES = (
    rule("preempted", {STATE: "preempted"}, Cause.SPOT_INTERRUPTION, "Azure evicted the spot node"),
    rule(
        "node-lost",
        {STATE: ("unusable", "unknown", "rebooting", "reimaging", "upgradingos")},
        Cause.INFRASTRUCTURE,
        "the node was lost or restarted",
    ),
    rule("start-task", {STATE: "starttaskfailed"}, Cause.APPLICATION, "the pool's start task failed"),
    rule(
        "node-leaving",
        {STATE: ("leavingpool", "offline", "deallocated", "deallocating")},
        Cause.UNKNOWN,
        "the node is leaving, by a person or by a resize",
    ),
    rule(
        "ended-by-person",
        {
            f"{FAILURE_CODE} | terminateReason | executionInfo.terminateReason": words("""
                TaskEnded JobTerminated JobDisabled UserTerminate
            """)
        },
        Cause.USER_ACTION,
        "somebody ended the task or its job, and the exit code is what follows from it",
        source=TASK,
    ),
    rule(
        "user-error",
        {CATEGORY: "UserError"},
        Cause.APPLICATION,
        "the task failed by its own or its settings' fault",
        source=TASK,
    ),
    rule("server-error", {CATEGORY: "ServerError"}, Cause.INFRASTRUCTURE, "the Batch service failed", source=TASK),
    rule(
        "relayed",
        {
            RELAYED: words("""
                BadRequest ScopeLocked RequestDisallowedByPolicy InvalidParameter AuthorizationFailed
                LinkedAuthorizationFailed InvalidTemplateDeployment SubnetIsFull
            """)
        },
        Cause.APPLICATION,
        "what is below the pool refused its settings",
        source=POOL,
    ),
    rule(
        "spot-quota",
        {RESIZE: ("AccountLowPriorityCoreQuotaReached", "AccountSpotCoreQuotaReached")},
        Cause.NO_CAPACITY,
        "the quota of spot cores is used up, and dedicated ones have another",
        source=POOL,
    ),
    rule(
        "no-capacity",
        {
            RESIZE: words("""
                AllocationFailed AllocationTimedOut AllocationTimedout OverconstrainedAllocationRequestError
            """)
        },
        Cause.NO_CAPACITY,
        "the pool could not get nodes",
        source=POOL,
    ),
    rule(
        "quota",
        {
            RESIZE: words("""
                AccountCoreQuotaReached AccountVMSeriesCoreQuotaReached
            """)
        },
        Cause.APPLICATION,
        "a quota of the account is used up",
        source=POOL,
    ),
    rule(
        "own-exit",
        {"executionInfo.exitCode | exitCode": exits.OWN},
        Cause.APPLICATION,
        "the task exited with an error of its own",
        source=TASK,
    ),
)
