# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker: what the Describe calls say of a training, processing or transform job.

The trap: the author may have named the job, so that its name leads to the job of an earlier attempt.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.remote.answer import Answer, inside, pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.remote.failure import Failure

_ALIVE = ("InProgress", "Pending")


def training(failure: Failure) -> Iterator[Answer]:
    """Describe the job of a SageMakerTrainingOperator; the only kind that runs on spot."""
    return _describe(failure, "Training", "describe_training_job")


def processing(failure: Failure) -> Iterator[Answer]:
    """Describe the job of a SageMakerProcessingOperator."""
    return _describe(failure, "Processing", "describe_processing_job")


def transform(failure: Failure) -> Iterator[Answer]:
    """Describe the job of a SageMakerTransformOperator."""
    return _describe(failure, "Transform", "describe_transform_job")


def _describe(failure: Failure, kind: str, call: str) -> Iterator[Answer]:
    config = failure.task.config
    parameter, state = f"{kind}JobName", f"{kind}JobStatus"
    name = failure.event.get("job_name") or inside(config, kind).get(parameter) or config.get(parameter)
    if not name:
        return
    job = getattr(failure.task.hook.conn, call)(**{parameter: name})
    ours = (failure.attribute("launched") or {}).get("launched_job") == name  # also if an earlier attempt created it
    if not (ours or failure.saw(job["CreationTime"])) or job.get(state) in _ALIVE:
        return
    fields = pick(job, state, "SecondaryStatus", "FailureReason")
    answer = Answer("sagemaker", call, fields)
    yield answer.on("spot" if job.get("EnableManagedSpotTraining") is True else None)
