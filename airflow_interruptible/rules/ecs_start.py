# SPDX-License-Identifier: Apache-2.0
"""Why a task of Amazon ECS could not start: its image, its resources, its host, and the want of capacity.

The trap: the same prefix stands before what the author mistyped and before what a registry or AWS itself refused.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import says
from airflow_interruptible.rules.ecs import ERROR_CODES, FAILURES, PULL, REASON, SERVICE_EVENTS, rule

PLACEMENT = "failures.reason | stoppedReason"
UNPLACED = r"(?:TaskFailedToStart: )?"
"""What ``DescribeTasks`` and service events say of a task that found no place; ``RunTask`` gives the reason alone."""

RULES = (
    rule(
        "registry-throttled",
        {
            REASON: says(
                r"CannotPull\w*Error: .*(?:toomanyrequests|\bThrottlingException\b|Rate exceeded|429 Too Many).*"
            )
        },
        Cause.INFRASTRUCTURE,
        "the image registry refused for too many requests",
        source=PULL,
    ),
    rule(
        "registry-unavailable",
        {
            REASON: says(
                r"CannotPull\w*Error: .*(?:\b50[0234] (?:Internal Server Error|Bad Gateway|Service Unavailable"
                r"|Gateway Time-?out)|\bServerException\b|status code: 50[0234]).*"
            )
        },
        Cause.INFRASTRUCTURE,
        "the image registry failed",
        source=PULL,
    ),
    rule(
        "resource-throttled",
        {
            REASON: says(
                r"ResourceInitializationError: .*(?:\bThrottlingException\b|Rate exceeded|InternalServiceError"
                r"|\bServerException\b).*"
            )
        },
        Cause.INFRASTRUCTURE,
        "AWS throttled or failed what the agent asked for the task",
        source=ERROR_CODES,
    ),
    rule(
        "image-pull",
        {REASON: says(r"CannotPull\w*Error: .*")},
        Cause.APPLICATION,
        "the image could not be pulled",
        source=ERROR_CODES,
    ),
    rule(
        "container-runtime",
        {
            REASON: says(
                r"(?:ContainerRuntimeTimeout|DockerTimeout|DockerState|CannotStopContainer|CannotInspectContainer)Error\b.*"
                r"|CannotStartContainerError: failed to get container status.*"
            )
        },
        Cause.INFRASTRUCTURE,
        "the container runtime of the host did not answer",
        source=ERROR_CODES,
    ),
    rule(
        "container-start",
        {
            REASON: says(
                r"CannotStartContainerError: .*(?:executable file not found"
                r"|no such file or directory|permission denied|container init was OOM-killed).*"
            )
        },
        Cause.APPLICATION,
        "the container's command could not be started",
        source=ERROR_CODES,
    ),
    rule(
        "resource-missing",
        {
            REASON: says(
                r"ResourceInitializationError: .*(?:ResourceNotFoundException|AccessDenied|does not exist"
                r"|is not authorized).*"
            )
        },
        Cause.APPLICATION,
        "a resource that the task definition names is missing or forbidden",
        source=ERROR_CODES,
    ),
    rule(
        "volume",
        {REASON: says(r"CannotCreateVolumeError: .*")},
        Cause.APPLICATION,
        "a volume of the task definition could not be created",
        source=ERROR_CODES,
    ),
    rule("internal-error", {REASON: says(r"InternalError: .*")}, Cause.INFRASTRUCTURE, "ECS had an internal error"),
    rule(
        "network-interface",
        {
            REASON: says(
                r"(?:Timeout waiting for (?:network interface|EphemeralStorage) provisioning to complete"
                r"|Unexpected EC2 error while attempting to create network interface).*"
            )
        },
        Cause.INFRASTRUCTURE,
        "the task's network interface or storage could not be provisioned",
    ),
    rule(
        "server-error",
        {"error.code": "ServerException"},
        Cause.INFRASTRUCTURE,
        "the ECS API failed",
        source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html",
    ),
    rule(
        "no-capacity",
        {
            f"{REASON} | failures.reason": says(
                r"Capacity is unavailable at this time\. Please try again later or in a"
                r" different availability zone\.?"
            )
        },
        Cause.NO_CAPACITY,
        "there was no Fargate capacity",
        source=FAILURES,
    ),
    rule(
        "no-room",
        {
            PLACEMENT: says(
                UNPLACED + r"(?:RESOURCE:\S+|EMPTY CAPACITY PROVIDER|NO ACTIVE INSTANCES)\.?"
                r"|No Container Instances were found in your (?:cluster|capacity provider)\.?"
                r"|.*\binsufficient (?:CPU units|memory) available\..*"
            )
        },
        Cause.NO_CAPACITY,
        "no container instance had room for the task",
        source=FAILURES,
    ),
    rule(
        "service-no-room",
        {"eventName": "SERVICE_TASK_PLACEMENT_FAILURE", "reason": says(r"RESOURCE:.*|EMPTY CAPACITY PROVIDER")},
        Cause.NO_CAPACITY,
        "no container instance had room for the task",
        source=SERVICE_EVENTS,
    ),
    rule(
        "service-no-room-message",
        {
            f"message | {REASON}": says(
                r"\(?service [^()]{1,255}\)? was unable to place a task because no container instance met all of its"
                r" requirements\. The closest matching \(?container-instance [^()]{1,255}\)?"
                r" has insufficient (?:CPU units|memory) available\..*"
            )
        },
        Cause.NO_CAPACITY,
        "no container instance had room for the task",
        source=SERVICE_EVENTS,
    ),
    rule(
        "service-throttled",
        {f"message | {REASON}": says(r"\(?service [^()]{1,255}\)? operations are being throttled on .*")},
        Cause.INFRASTRUCTURE,
        "AWS throttled the ECS service",
        source=SERVICE_EVENTS,
    ),
    rule(
        "agent-disconnected",
        {PLACEMENT: says(UNPLACED + r"AGENT\.?")},
        Cause.INFRASTRUCTURE,
        "the agent of the container instance was disconnected",
        source=FAILURES,
    ),
    rule(
        "placement-attribute",
        {
            PLACEMENT: says(
                UNPLACED + r"(?:ATTRIBUTE|LOCATION|MULTIPLE CAPACITY PROVIDERS"
                r"|MemberOf placement constraint unsatisfied)\.?"
            )
        },
        Cause.APPLICATION,
        "the task definition asks for what the cluster does not offer",
        source=FAILURES,
    ),
)
