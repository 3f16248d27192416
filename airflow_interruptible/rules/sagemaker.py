# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker jobs: primary and secondary status, failure reasons.

The surprising fact: managed spot training resumes by itself, so ``Interrupted`` may be seen on a job that goes on.
"""

from __future__ import annotations

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.core.surface import Surface, reading

SURFACE = Surface(
    services={"sagemaker": ("aws-sagemaker", "amazon-sagemaker")},
    envelopes=("detail", "TrainingJob", "ProcessingJob", "TransformJob", "serialized_job", "body"),
    strings={"statusReason": "FailureReason"},
    readings=(
        reading(r"SageMaker job failed because (?P<FailureReason>.*)"),
        reading(
            r"(?:(?:sagemaker\.exceptions\.)?(?:UnexpectedStatusException|CapacityError): )?"
            r"Error for (?:Training|Processing|Transform) job \S{1,80}: (?:Failed|Stopped)\.? "
            r"Reason: (?P<FailureReason>.*)"
        ),
        reading(r"(?P<SecondaryStatus>Interrupted|MaxRuntimeExceeded|MaxWaitTimeExceeded)"),
    ),
    history=("SecondaryStatusTransitions",),
)

API = "https://docs.aws.amazon.com/sagemaker/latest/APIReference"
TRAINING = f"{API}/API_DescribeTrainingJob.html"
SPOT = "https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training-status.html"
BATCH = "https://docs.aws.amazon.com/batch/latest/userguide/sm_job_stuck_in_runnable_capacity.html"

FAILURE = "FailureReason | (text)"
PRIMARY = "TrainingJobStatus | ProcessingJobStatus | TransformJobStatus | HyperParameterTuningJobStatus"

rule = Table("sagemaker", ("sagemaker",), TRAINING)

RULES = (
    rule(
        "max-runtime",
        {"SecondaryStatus": "MaxRuntimeExceeded"},
        Cause.APPLICATION,
        "the job ran longer than its own limit",
    ),
    rule(
        "interrupted",
        {"SecondaryStatus | SecondaryStatusTransitions.Status": "Interrupted"},
        Cause.SPOT_INTERRUPTION,
        "EC2 took the managed Spot instances back",
        source=SPOT,
    ),
    rule(
        "max-wait",
        {"SecondaryStatus": "MaxWaitTimeExceeded"},
        Cause.NO_CAPACITY,
        "spot capacity was not to be had within the job's waiting time",
        source=SPOT,
    ),
    rule(
        "spot-limit",
        {
            FAILURE: says(
                r"(?:botocore\.(?:errorfactory|exceptions)\.)?(?:ClientError: )?(?:ResourceLimitExceeded: )?"
                r"(?:An error occurred \(ResourceLimitExceeded\) when calling the \w{1,40} operation[^:]{0,40}: )?"
                r"The account-level service limit .{1,80} for spot training job usage. is .*"
            )
        },
        Cause.NO_CAPACITY,
        "the limit of Spot training instances is reached, and on-demand ones have another",
        source="https://docs.aws.amazon.com/general/latest/gr/sagemaker.html",
    ),
    rule(
        "capacity-error",
        {FAILURE: says(r"CapacityError: .*")},
        Cause.NO_CAPACITY,
        "EC2 had no capacity for the job",
        source=BATCH,
    ),
    rule(
        "own-fault",
        {FAILURE: says(r"(?:AlgorithmError|ClientError|UserError): .*")},
        Cause.APPLICATION,
        "the job's code or settings failed",
    ),
    rule(
        "internal-error",
        {FAILURE: says(r"InternalServerError: .*")},
        Cause.INFRASTRUCTURE,
        "SageMaker had an internal error",
    ),
    rule(
        "stopped-by-person",
        {PRIMARY: ("Stopped", "Stopping"), "SecondaryStatus": ("Stopped", "Stopping")},
        Cause.USER_ACTION,
        "somebody stopped the job",
    ),
    rule("stopped", {PRIMARY: ("Stopped", "Stopping")}, Cause.USER_ACTION, "somebody stopped the job"),
)
