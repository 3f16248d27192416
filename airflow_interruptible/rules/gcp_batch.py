# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Batch: reserved exit codes 50001 to 50006, status events, job states.

The trap: a job keeps all its events, so a 50001 of an attempt that Batch itself retried may precede a success.
"""

from __future__ import annotations

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Surface, reading
from airflow_interruptible.rules import exits

SURFACE = Surface(
    services={"gcpbatch": ("gcp-batch", "cloudbatch", "cloud-batch", "cloud_batch", "google-batch", "google_batch")},
    envelopes=("task", "job", "status", "body", "message", "data"),
    aliases={
        "taskexecution.exitcode": "exitCode",
        "statusevents.taskexecution.exitcode": "exitCode",
        "statusevents.description": "description",
    },
    strings={"exit code": "exitCode", "statusReason": "description"},
    readings=(
        reading(
            r"(?:Task|Job) (?:state is updated|state is set|failed due to).*"
            r" with exit code (?P<exitCode>\d{1,6})\b.{0,200}"
        ),
        reading(r".{0,200}Batch Error: code - (?P<code>CODE_\w+), description.*"),
        reading(
            r"Job state is set from \w+ to "
            r"(?P<state>CANCELLATION_IN_PROGRESS|CANCELLED|DELETION_IN_PROGRESS|SUCCEEDED)\b.*"
        ),
        reading(r"Task state is updated from \w+ to (?P<state>SUCCEEDED)\b.*"),
    ),
    read=("description",),
    history=("statusEvents",),
    capacity={
        "allocationPolicy.instances.policy.provisioningModel": {
            "SPOT": CapacityType.SPOT,
            "PREEMPTIBLE": CapacityType.SPOT,
            "STANDARD": CapacityType.ON_DEMAND,
        },
    },
    success={"state": "SUCCEEDED"},
)

DOCS = "https://cloud.google.com/batch/docs"
CROMWELL = "https://github.com/broadinstitute/cromwell/blob/develop/supportedBackends/google/batch/src/main/scala/cromwell/backend/google/batch/models/RunStatus.scala"
"""The words that Cromwell reads as these codes."""
EXIT_CODES = f"{DOCS}/troubleshooting#reserved-exit-codes"

rule = Table("gcpbatch", ("gcpbatch",), EXIT_CODES)

RULES = (
    rule(
        "cancelled",
        {"state": ("CANCELLED", "CANCELLATION_IN_PROGRESS", "DELETION_IN_PROGRESS")},
        Cause.USER_ACTION,
        "somebody cancelled or deleted the job",
        source="https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs#state",
    ),
    rule(
        "deleted",
        {"(text)": says(r"Batch job with name \S{1,300} is being deleted\.?")},
        Cause.USER_ACTION,
        "somebody deleted the job",
        source="https://github.com/apache/airflow/blob/main/providers/google/src/airflow/providers/google/cloud/hooks/cloud_batch.py",
    ),
    rule("max-runtime", {"exitCode": 50005}, Cause.APPLICATION, "the task ran longer than its own limit"),
    rule("preempted", {"exitCode": 50001}, Cause.SPOT_INTERRUPTION, "Compute Engine took the spot machine back"),
    rule(
        "preempted-words",
        {"(text) | description": says(r"A Spot VM for the job was preempted during run time\.?")},
        Cause.SPOT_INTERRUPTION,
        "Compute Engine took the spot machine back",
        source=CROMWELL,
    ),
    rule(
        "vm-lost-words",
        {
            "(text) | description": says(
                r"(?:There was a timeout in the backend that caused a VM for the job to no longer receive updates"
                r"|A VM for the job unexpectedly rebooted during run time"
                r"|A VM for a job is unexpectedly recreated during run time)\.?"
            )
        },
        Cause.INFRASTRUCTURE,
        "the machine stopped reporting, rebooted or was recreated",
        source=CROMWELL,
    ),
    rule(
        "vm-lost",
        {"exitCode": (50002, 50003, 50006)},
        Cause.INFRASTRUCTURE,
        "the machine stopped reporting, rebooted or was recreated",
    ),
    rule(
        "unresponsive",
        {"exitCode": 50004},
        Cause.UNKNOWN,
        "machine and task stopped answering, and either can be the reason",
    ),
    rule(
        "notice",
        {"(text) | description": says(r"preemption notice has received and will be processed\.?")},
        Cause.SPOT_INTERRUPTION,
        "the Batch agent saw the preemption notice",
        source="https://github.com/broadinstitute/cromwell/issues/7407",
    ),
    rule(
        "agent-notice",
        {"metadata.instancePreemptionNoticeReceived | instancePreemptionNoticeReceived": "True"},
        Cause.SPOT_INTERRUPTION,
        "the Batch agent saw the preemption notice",
        source="https://cloud.google.com/batch/docs/reference/rest/v1alpha/projects.locations.state/report",
    ),
    rule(
        "failed-otherwise",
        {"exitCode": 50000},
        Cause.APPLICATION,
        "the task failed, and not by any cause that Batch reserves a code for",
    ),
    rule(
        "own-exit",
        {"exitCode": exits.OWN},
        Cause.APPLICATION,
        "the task exited with an error of its own",
    ),
    rule(
        "signalled",
        {"exitCode": exits.SIGNALLED},
        Cause.UNKNOWN,
        "the task was ended by a signal, and nothing says who sent it",
    ),
)
