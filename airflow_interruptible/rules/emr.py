# SPDX-License-Identifier: Apache-2.0
"""Amazon EMR on EC2 and on EKS: ``StateChangeReason`` codes and messages, step states. Spark and YARN: see ``spark``.

The trap: the same message with and without "due to Spot" is a reclaim and a plain loss.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Naming, Surface, reading

SURFACE = Surface(
    services={"emr": ("aws-emr", "emr-containers", "emr-serverless", "elasticmapreduce")},
    envelopes=("detail", "Cluster", "Status", "Step", "Instance", "InstanceGroup", "InstanceFleet", "jobRun", "body"),
    aliases={
        "code": "StateChangeReason.Code",
        "message": "StateChangeReason.Message",
    },
    strings={"statusReason": "StateChangeReason.Message"},
    readings=(
        reading(r"(?P<exitStatus>-10[0-9])"),
        reading(r"(?P<StateChangeReason__Code>[A-Z]+_[A-Z_]+)(?:: (?P<StateChangeReason__Message>.*))?"),
        reading(
            r"(?:TERMINATED_WITH_ERRORS|TERMINATED) / (?P<StateChangeReason__Code>[A-Z_]+) . "
            r"(?P<StateChangeReason__Message>.*)"
        ),
    ),
    machines=(Naming("instance", "Ec2InstanceId"),),
    capacity={"Market": {"SPOT": CapacityType.SPOT, "ON_DEMAND": CapacityType.ON_DEMAND}},
)

DETAILS = "https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-troubleshoot-error-errordetail.html"
API = "https://docs.aws.amazon.com/emr/latest/APIReference"
CLUSTER = f"{API}/API_ClusterStateChangeReason.html"
STEP = f"{API}/API_StepStatus.html"
SPOT = "https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-instances-guidelines.html"
CONTAINERS = "https://docs.aws.amazon.com/emr-on-eks/latest/APIReference/API_JobRun.html"

CODE = "StateChangeReason.Code"
DETAIL = "ErrorDetails.ErrorCode | ErrorDetail.ErrorCode | ErrorCode"
MESSAGE = "StateChangeReason.Message | (text)"

rule = Table("emr", ("emr",), CLUSTER)

RULES = (
    rule("stopped-by-person", {CODE: "USER_REQUEST"}, Cause.USER_ACTION, "somebody terminated the cluster"),
    rule(
        "stopped-by-person-words",
        {
            MESSAGE: says(
                r"(?:Terminated by user request|User request|Cancelled by user|JobRun was cancelled by the user)\.?"
            )
        },
        Cause.USER_ACTION,
        "somebody terminated the cluster",
    ),
    rule(
        "primary-spot",
        {DETAIL: ("INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY", "INTERNAL_ERROR_SPOT_PRICE_INCREASE_PRIMARY")},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the primary node's Spot instance back",
        source=DETAILS,
    ),
    rule(
        "no-capacity-detail",
        {DETAIL: "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"},
        Cause.NO_CAPACITY,
        "the zone had no such capacity",
        source=DETAILS,
    ),
    rule(
        "no-capacity",
        {
            "StateChangeReason.Message": says(
                r"(?:Insufficient ?InstanceCapacity|MaxSpotInstanceCountExceeded|Max spot instance count exceeded"
                r"|EC2 is out of capacity|EC2 has insufficient capacity|There is no Spot capacity available"
                r"|We currently do not have sufficient \S+ capacity)\b.*"
            )
        },
        Cause.NO_CAPACITY,
        "EC2 had no capacity for the cluster",
        source="https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-EC2_INSUFFICIENT_CAPACITY.html",
    ),
    rule(
        "own-fault",
        {CODE: ("VALIDATION_ERROR", "BOOTSTRAP_FAILURE", "STEP_FAILURE")},
        Cause.APPLICATION,
        "the cluster's settings, bootstrap or step failed",
    ),
    rule(
        "spot",
        {
            MESSAGE: says(
                r"(?:Amazon EMR [Cc]luster .{1,200}\. )?"
                r"(?:All slaves in the job flow were|The (?:master|primary|core|task) (?:node|instance)s? (?:was|were)"
                r"|All (?:core|task) (?:instances|nodes) (?:in the cluster )?were|Instance i-\w+ (?:was|is)"
                r"|(?:EC2 )?[Ii]nstances? (?:i-\w+ )?(?:was|were)) terminated due to (?:a |EC2 )*Spot\b"
                r"(?! (?:capacity|price|bid|request|provisioning)).*"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "EC2 took the cluster's Spot instances back",
        source=SPOT,
    ),
    rule(
        "lost-on-spot",
        {CODE: "INSTANCE_FAILURE"},
        Cause.SPOT_INTERRUPTION,
        "the cluster lost its spot instances",
        needs=CapacityType.SPOT,
    ),
    rule("lost", {CODE: "INSTANCE_FAILURE"}, Cause.INFRASTRUCTURE, "the cluster lost its instances"),
    rule(
        "fleet-timeout",
        {CODE: "INSTANCE_FLEET_TIMEOUT"},
        Cause.NO_CAPACITY,
        "the instance fleet could not be provisioned in time",
    ),
    rule("internal-error", {CODE: "INTERNAL_ERROR"}, Cause.INFRASTRUCTURE, "EMR had an internal error"),
    rule(
        "nodes-lost",
        {
            MESSAGE: says(
                r"All slaves in the job flow were terminated\.?|The master node was terminated and cannot recover\.?"
            )
        },
        Cause.INFRASTRUCTURE,
        "the cluster lost its nodes",
        source=SPOT,
    ),
    rule(
        "over",
        {CODE: ("ALL_STEPS_COMPLETED", "CLUSTER_TERMINATED", "NONE")},
        Cause.UNKNOWN,
        "the cluster ended, and the code does not say why",
    ),
    rule(
        "step-cancelled",
        {"state": ("CANCELLED", "CANCEL_PENDING", "CANCELLING")},
        Cause.USER_ACTION,
        "somebody cancelled the step",
        source=STEP,
    ),
    rule(
        "job-user-error",
        {"failureReason": ("USER_ERROR", "VALIDATION_ERROR")},
        Cause.APPLICATION,
        "the job failed by its own fault",
        source=CONTAINERS,
    ),
    rule(
        "job-infrastructure",
        {"failureReason": ("INTERNAL_ERROR", "CLUSTER_UNAVAILABLE")},
        Cause.INFRASTRUCTURE,
        "EMR or its cluster failed",
        source=CONTAINERS,
    ),
)
