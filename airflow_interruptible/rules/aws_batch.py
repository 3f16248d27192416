# SPDX-License-Identifier: Apache-2.0
"""AWS Batch: ``statusReason`` of jobs and attempts. What the container itself says is ECS's vocabulary, see ``ecs``.

The trap: whoever terminates or cancels a job writes the ``statusReason``, so only whole documented messages count.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Naming, Surface, reading, wrapper
from airflow_interruptible.rules.ecs import HOST_RECORDS

SURFACE = Surface(
    services={"batch": ("awsbatch", "aws-batch", "aws batch")},
    envelopes=("Records", "body", "Message", "detail", "jobs", "job"),
    apart=HOST_RECORDS,
    strings={"statusReason": "statusReason", "container state": "container.reason", "exit code": "exitCode"},
    readings=(reading(r"Host EC2 \(instance (?P<ec2InstanceId>i-[0-9a-f]+)\) (?:stopped|terminated)\.?"),),
    wrappers=(
        wrapper(
            r"AWS Batch job \([^)]*\) (?:failed|is not complete|has unknown status): (?P<embedded>\{.*)",
            service="batch",
        ),
    ),
    read=("statusReason",),
    history=("attempts",),
    machines=(Naming("instance", "ec2InstanceId"), Naming("job", "jobId")),
    capacity={
        "computeResources.type": {
            "SPOT": CapacityType.SPOT,
            "FARGATE_SPOT": CapacityType.SPOT,
            "EC2": CapacityType.ON_DEMAND,
            "FARGATE": CapacityType.ON_DEMAND,
        }
    },
    success={"status": "SUCCEEDED"},
)

GUIDE = "https://docs.aws.amazon.com/batch/latest/userguide"
JOB = "https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html"
RETRIES = f"{GUIDE}/job_retries.html"
STUCK = f"{GUIDE}/job_stuck_in_runnable.html"

REASON = "statusReason | attempts.statusReason | (text)"
LIMIT = r"(?:Canceled|Terminated) by JobStateTimeLimit action due to reason: "

rule = Table("batch", ("batch",), JOB)

RULES = (
    rule(
        "timeout",
        {REASON: says(r"Job attempt duration exceeded timeout\.?")},
        Cause.APPLICATION,
        "the job ran longer than its own timeout",
        source=f"{GUIDE}/job_timeouts.html",
    ),
    rule(
        "stopped-by-person",
        {REASON: says(r"(?:Terminated|Canceled|Cancelled) by user\.?|Task killed by the user\.?")},
        Cause.USER_ACTION,
        "somebody terminated the job",
        source="https://docs.aws.amazon.com/batch/latest/APIReference/API_TerminateJob.html",
    ),
    rule(
        "misconfiguration",
        {REASON: says(rf"(?:{LIMIT})?MISCONFIGURATION:.*")},
        Cause.APPLICATION,
        "the job asks for what its queue can never give",
        source=STUCK,
    ),
    rule(
        "waited-too-long",
        {REASON: says(LIMIT + r"CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY.*")},
        Cause.NO_CAPACITY,
        "no compute environment of the queue could get instances, and the queue's time limit ended the job",
        source=STUCK,
    ),
    rule(
        "ended-by-person",
        {"isTerminated | isCancelled": "True"},
        Cause.USER_ACTION,
        "somebody cancelled or terminated the job, and the exit code is what follows from it",
    ),
    rule(
        "no-capacity",
        {REASON: says(r"CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY.*")},
        Cause.NO_CAPACITY,
        "no compute environment of the queue could get instances",
        source=STUCK,
    ),
    rule(
        "dependency",
        {REASON: says(r"Dependent Job failed\.?|Array Child Job failed\.?")},
        Cause.APPLICATION,
        "a job it depends on failed",
    ),
)

LAST_RESORT = (
    rule(
        "failed-to-start",
        {REASON: says(r"Task failed to start\.?")},
        Cause.INFRASTRUCTURE,
        "the task failed to start, and no container says why",
        source=RETRIES,
    ),
)
"""Below what the containers say: the same message covers an image that does not exist."""
