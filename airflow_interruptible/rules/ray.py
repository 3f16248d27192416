# SPDX-License-Identifier: Apache-2.0
"""Ray: drain reasons, node death reasons and the documented messages of actor and task errors.

The trap: the message of a node's death names "OOM, preempted node, etc" as possible causes of any death.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says, words
from airflow_interruptible.core.surface import Surface, reading

SURFACE = Surface(
    services={"ray": ("kuberay", "anyscale")},
    envelopes=("node", "node_death_info", "NodeDeathInfo", "deathInfo", "drain_node_request"),
    readings=(reading(r"(?P<reason>[A-Z]+(?:_[A-Z]+){1,6})"),),
)

PROTO = "https://github.com/ray-project/ray/blob/master/src/ray/protobuf/common.proto"
AUTOSCALER = "https://github.com/ray-project/ray/blob/master/src/ray/protobuf/autoscaler.proto"
DEATH = "https://github.com/ray-project/ray/blob/master/src/ray/gcs/actor/gcs_actor_manager.cc"
STATE = "https://github.com/ray-project/ray/blob/master/python/ray/dashboard/modules/node/datacenter.py"
ERRORS = "https://docs.ray.io/en/latest/ray-core/api/exceptions.html"
OOM = "https://docs.ray.io/en/latest/ray-core/scheduling/ray-oom-prevention.html"

REASON = "reason | NodeDeathInfo.reason | death_reason | DeathReason"
NUMBER = "DeathReason | NodeDeathInfo.reason"
"""``ray.nodes()`` gives the number of the enumeration, not its name."""
EXIT = "exit_type | exitType | error_type | errorType"
NODE_DIED = r"(?:.{0,400}\n)?\s*The actor died because its node has died\. Node Id: [0-9a-f]{1,64}\s+"

rule = Table("ray", ("ray",), PROTO)

RULES = (
    rule(
        "drained-preempted",
        {REASON: "DRAIN_NODE_REASON_PREEMPTION"},
        Cause.SPOT_INTERRUPTION,
        "the node was drained for a preemption",
        source=AUTOSCALER,
    ),
    rule(
        "drained-idle",
        {REASON: "DRAIN_NODE_REASON_IDLE_TERMINATION"},
        Cause.INFRASTRUCTURE,
        "the autoscaler removed an idle node",
        source=AUTOSCALER,
    ),
    rule("died-preempted", {REASON: "AUTOSCALER_DRAIN_PREEMPTED"}, Cause.SPOT_INTERRUPTION, "the node was preempted"),
    rule("died-preempted-number", {NUMBER: 3}, Cause.SPOT_INTERRUPTION, "the node was preempted"),
    rule("died-idle", {REASON: "AUTOSCALER_DRAIN_IDLE"}, Cause.INFRASTRUCTURE, "the autoscaler removed an idle node"),
    rule(
        "died-otherwise-number",
        {NUMBER: (2, 4)},
        Cause.INFRASTRUCTURE,
        "the node died unexpectedly, or the autoscaler removed it",
    ),
    rule(
        "died-unexpectedly",
        {REASON: "UNEXPECTED_TERMINATION"},
        Cause.INFRASTRUCTURE,
        "the node died, and Ray saw no drain before",
    ),
    rule(
        "died-expectedly",
        {REASON: "EXPECTED_TERMINATION"},
        Cause.UNKNOWN,
        "the node was stopped on purpose, and Ray does not say whose",
    ),
    rule(
        "job-stopped",
        {"job_status | jobStatus | status": "STOPPED"},
        Cause.USER_ACTION,
        "somebody stopped the job",
        source="https://docs.ray.io/en/latest/cluster/running-applications/job-submission/doc/ray.job_submission.JobStatus.html",
    ),
    rule(
        "job-own-fault",
        {"reason": ("AppFailed", "SubmissionFailed", "DeadlineExceeded", "ValidationFailed")},
        Cause.APPLICATION,
        "the job failed, or ran longer than its own deadline",
        source="https://github.com/ray-project/kuberay/blob/master/ray-operator/apis/ray/v1/rayjob_types.go",
    ),
    rule(
        "exit-memory",
        {EXIT: ("NODE_OUT_OF_MEMORY", "OUT_OF_MEMORY")},
        Cause.APPLICATION,
        "Ray killed the worker for its memory",
        source=OOM,
    ),
    rule(
        "exit-own-fault",
        {EXIT: words("USER_ERROR TASK_EXECUTION_EXCEPTION RUNTIME_ENV_SETUP_FAILED DEPENDENCY_RESOLUTION_FAILED")},
        Cause.APPLICATION,
        "the task failed by its own fault",
    ),
    rule("exit-cancelled", {EXIT: "TASK_CANCELLED"}, Cause.USER_ACTION, "somebody cancelled the task"),
    rule(
        "exit-node",
        {EXIT: ("NODE_DIED", "LOCAL_RAYLET_DIED")},
        Cause.INFRASTRUCTURE,
        "the node under the task died",
    ),
    rule(
        "exit-undecided",
        {
            EXIT: words("""
                SYSTEM_ERROR INTENDED_SYSTEM_EXIT INTENDED_USER_EXIT WORKER_DIED ACTOR_DIED ACTOR_UNAVAILABLE OWNER_DIED
                ACTOR_CREATION_FAILED OBJECT_LOST OBJECT_DELETED OBJECT_FREED OBJECT_FETCH_TIMED_OUT OUT_OF_DISK_ERROR
                OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED
                OBJECT_UNRECONSTRUCTABLE_PUT OBJECT_UNRECONSTRUCTABLE_RETRIES_DISABLED
                OBJECT_UNRECONSTRUCTABLE_BORROWED OBJECT_UNRECONSTRUCTABLE_REF_NOT_FOUND
                OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED OBJECT_UNRECONSTRUCTABLE_LINEAGE_DISABLED
                TASK_PLACEMENT_GROUP_REMOVED ACTOR_PLACEMENT_GROUP_REMOVED TASK_UNSCHEDULABLE_ERROR
                ACTOR_UNSCHEDULABLE_ERROR WORKER_STARTUP_FAILED GENERATOR_TASK_FAILED_FOR_OBJECT_RECONSTRUCTION
            """)
        },
        Cause.UNKNOWN,
        "the worker ended, and this does not say why",
    ),
    rule(
        "error-preempted",
        {"preempted": "True"},
        Cause.SPOT_INTERRUPTION,
        "the actor's node was preempted",
        source=ERRORS,
    ),
    rule(
        "oom",
        {"(text)": says(r"Task was killed due to the node running low on memory\..*")},
        Cause.APPLICATION,
        "Ray killed the task for its memory",
        source=OOM,
    ),
    rule(
        "actor-preempted",
        {"(text)": says(NODE_DIED + r"the actor's node was preempted: .*")},
        Cause.SPOT_INTERRUPTION,
        "the actor's node was preempted",
        source=DEATH,
    ),
    rule(
        "actor-spot-killed",
        {"(text)": says(r"\s*(?:The actor's node was killed by a spot preemption|Actor died by preemption)\.?")},
        Cause.SPOT_INTERRUPTION,
        "the actor's node was preempted",
        source=ERRORS,
    ),
    rule(
        "actor-node-lost",
        {"(text)": says(NODE_DIED + r"the actor's node was terminated unexpectedly: .*")},
        Cause.INFRASTRUCTURE,
        "the actor's node died",
        source=DEATH,
    ),
    rule(
        "node-preempted",
        {"state_message | (text)": says(r"Terminated due to preemption(?:: .*)?")},
        Cause.SPOT_INTERRUPTION,
        "the node was preempted",
        source=STATE,
    ),
    rule(
        "node-lost",
        {
            "state_message | (text)": says(
                r"(?:Unexpected termination|Terminated due to idle \(no Ray activity\))(?:: .*)?"
            )
        },
        Cause.INFRASTRUCTURE,
        "the node died, or the autoscaler removed it",
        source=STATE,
    ),
    rule(
        "task-node-died",
        {"(text)": says(r"Task failed due to the node dying\..*")},
        Cause.UNKNOWN,
        "the node died; the causes that the message lists are guesses",
        source=ERRORS,
    ),
)
