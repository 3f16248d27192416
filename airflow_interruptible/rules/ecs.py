# SPDX-License-Identifier: Apache-2.0
"""Amazon ECS and Fargate: ``stopCode``, ``stoppedReason``, containers, ``RunTask`` failures. AWS Batch repeats them.

The trap: ``Host EC2 (instance ...) terminated.`` is the same text for a reclaim and for a scale-in.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Naming, Surface, reading, wrapper
from airflow_interruptible.rules import exits

HOST_RECORDS = ("instance", "ec2_instance", "host", "instance_event", "host_event", "container_instance_event")
"""Names of what somebody puts beside a task about the instance under it."""

SURFACE = Surface(
    services={"ecs": ("amazon-ecs", "aws-ecs"), "fargate": ("ecs-fargate", "aws-fargate")},
    envelopes=("Records", "body", "Message", "detail", "tasks", "task", "serviceEvents", "events"),
    apart=HOST_RECORDS,
    strings={
        "stoppedReason/stopCode": "stoppedReason",
        "stoppedReason": "stoppedReason",
        "stopCode": "stopCode",
        "statusReason": "stoppedReason",
        "container state": "containers.reason",
    },
    readings=(
        reading(
            r"(?P<stopCode>TaskFailedToStart|EssentialContainerExited|UserInitiated|ServiceSchedulerInitiated"
            r"|SpotInterruption|TerminationNotice|InfrastructureHealth)"
        ),
        reading(r"Host EC2 \(instance (?P<ec2InstanceId>i-[0-9a-f]+)\) (?:stopped|terminated)\.?"),
        reading(r"An error occurred \((?P<error__code>\w+)\) when calling the \w+ operation.*"),
    ),
    wrappers=(
        wrapper(
            r"\(?service [^()]{1,255}\)? was unable to place a task(?: because no container instance met all of its"
            r" requirements)?\. Reason: (?P<failures__reason>.*)",
            service="ecs",
        ),
    ),
    read=("stoppedReason", "reason"),
    machines=(Naming("instance", "ec2InstanceId"), Naming("task", "taskArn")),
    capacity={
        "capacityProviderName": {"FARGATE_SPOT": CapacityType.SPOT, "FARGATE": CapacityType.ON_DEMAND},
        "instanceLifecycle": {"spot": CapacityType.SPOT},
    },
)

GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"
TASK = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html"
STOPPED = f"{GUIDE}/stopped-task-errors.html"
ERROR_CODES = "https://docs.aws.amazon.com/AmazonECS/latest/userguide/stopped-task-error-codes.html"
PULL = f"{GUIDE}/task_cannot_pull_image.html"
CAPACITY = f"{GUIDE}/fargate-capacity-providers.html"
FAILURES = f"{GUIDE}/api_failures_messages.html"
SERVICE_EVENTS = f"{GUIDE}/service-event-messages-list.html"
STATE = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html"
AGENT = "https://github.com/aws/amazon-ecs-agent/blob/master/agent/app/agent.go"
OPERATOR = (
    "https://github.com/apache/airflow/blob/main/providers/amazon/src/airflow/providers/amazon/aws/operators/ecs.py"
)

REASON = "stoppedReason | statusReason | containers.reason | container.reason | attempts.container.reason | (text)"
EXIT = "containers.exitCode | container.exitCode | attempts.container.exitCode | exitCode"
SPOT_TASK = says(r"Your Spot Task was interrupted\.?")
HOST_GONE = says(r"Host EC2 \(instance [\w-]+\) (?:stopped|terminated)\.?")

rule = Table("ecs", ("ecs", "fargate", "batch"), STOPPED)

RULES = (
    rule(
        "oom",
        {REASON: says(r"OutOfMemory(?:Error)?\b.*")},
        Cause.APPLICATION,
        "the container used more memory than it asked for",
    ),
    rule(
        "spot-stop-code",
        {"stopCode": "SpotInterruption"},
        Cause.SPOT_INTERRUPTION,
        "AWS took the Spot capacity back",
        source=TASK,
    ),
    rule(
        "stopped-by-person",
        {"stopCode": "UserInitiated"},
        Cause.USER_ACTION,
        "somebody stopped the task, in whichever words",
        source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html",
    ),
    rule(
        "stopped-by-operator",
        {REASON: says(r"Task killed by the user\.?")},
        Cause.USER_ACTION,
        "Airflow's operator was told to stop the task",
        source=OPERATOR,
    ),
    rule(
        "fargate-spot",
        {REASON: SPOT_TASK},
        Cause.SPOT_INTERRUPTION,
        "AWS took the Fargate Spot capacity back",
        source=CAPACITY,
    ),
    rule(
        "host-taken-back",
        {REASON: HOST_GONE, "StateReason.Code": ("Server.SpotInstanceTermination", "Server.SpotInstanceShutdown")},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the Spot instance under the task back",
        source=STATE,
    ),
    rule(
        "host-ended-otherwise",
        {REASON: HOST_GONE, "StateReason.Code": says(r"(?:Client|Server)\.[A-Z]\w+")},
        Cause.INFRASTRUCTURE,
        "the instance under the task went away, and not because EC2 took it back",
        source=STATE,
    ),
    rule(
        "host-gone-on-spot",
        {REASON: HOST_GONE},
        Cause.SPOT_INTERRUPTION,
        "the spot instance under the task went away",
        needs=CapacityType.SPOT,
    ),
    rule("host-gone", {REASON: HOST_GONE}, Cause.INFRASTRUCTURE, "the instance under the task went away"),
    rule(
        "deregistered",
        {REASON: says(r"Container instance deregistration forced by user\.?")},
        Cause.INFRASTRUCTURE,
        "an operator removed the container instance",
    ),
    rule(
        "termination-notice-on-spot",
        {"stopCode": "TerminationNotice"},
        Cause.SPOT_INTERRUPTION,
        "the spot instance under the task was given notice",
        source=TASK,
        needs=CapacityType.SPOT,
    ),
    rule(
        "termination-notice",
        {"stopCode": "TerminationNotice"},
        Cause.INFRASTRUCTURE,
        "the instance under the task was given notice",
        source=TASK,
    ),
    rule(
        "infrastructure-health",
        {"stopCode": "InfrastructureHealth"},
        Cause.INFRASTRUCTURE,
        "ECS found the infrastructure under the task unhealthy",
        source=TASK,
    ),
    rule(
        "agent-drains-spot",
        {
            "(text)": says(
                r"(?:level=\S+ time=\S+ msg=.)?Received a spot interruption \([a-z]+\) scheduled for \S+"
                r" setting state to DRAINING.{0,40}"
            )
        },
        Cause.SPOT_INTERRUPTION,
        "the ECS agent saw the Spot interruption notice",
        source=AGENT,
    ),
    rule(
        "health-check",
        {
            REASON: says(
                r"Task failed (?:ELB|container) health checks.*"
                r"|\(service [^)]*\) \([^)]*\) \([^)]*\) is unhealthy in \(.*"
            )
        },
        Cause.APPLICATION,
        "the task did not answer its health checks",
    ),
    rule(
        "scaled-in",
        {REASON: says(r"Scaling activity initiated by \(.*")},
        Cause.INFRASTRUCTURE,
        "the service was scaled in",
    ),
    rule(
        "scheduler-stopped",
        {"stopCode": "ServiceSchedulerInitiated"},
        Cause.INFRASTRUCTURE,
        "the ECS service scheduler stopped the task",
        source=TASK,
    ),
    rule(
        "maintenance",
        {
            REASON: says(
                r"(?:Task stopped: )?ECS is performing maintenance on the underlying infrastructure"
                r" hosting the task\.?"
            )
        },
        Cause.INFRASTRUCTURE,
        "AWS retired the host for maintenance",
    ),
)

EXITS = (
    rule("own-exit", {EXIT: exits.OWN}, Cause.APPLICATION, "the container exited with an error of its own"),
    rule(
        "signalled",
        {EXIT: exits.SIGNALLED},
        Cause.UNKNOWN,
        "the container was ended by a signal, and nothing says who sent it",
    ),
)
"""Below whatever says why a task could not start."""
