# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker: what the Describe calls say of a training, tuning, processing or transform job.

The trap: the author may have named the job, so that its name leads to the job of an earlier attempt.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import Answer, each, inside, least_forgiving, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure

_ALIVE = ("InProgress", "Pending")
_ENDED_BADLY = ("Failed", "Stopped")
MAX_TRIALS = 5
"""How many trials of a tuning job are asked for: each is a request."""


def training(failure: Failure) -> Iterator[Answer]:
    """Describe the job of a SageMakerTrainingOperator."""
    return _describe(failure, "Training", "describe_training_job")


def tuning(failure: Failure) -> Iterator[Answer]:
    """Describe the trials of a SageMakerTuningOperator that has failed: the tuning job itself says that all have."""
    client, config = failure.task.hook.conn, failure.task.config
    which = {"HyperParameterTuningJobName": failure.event.get("job_name") or config["HyperParameterTuningJobName"]}
    job = client.describe_hyper_parameter_tuning_job(**which)
    status = job["HyperParameterTuningJobStatus"]
    if not _is_this_attempts(failure, job, which["HyperParameterTuningJobName"]) or status in _ALIVE:
        return
    answer = Answer("sagemaker", "describe_hyper_parameter_tuning_job", pick(job, "HyperParameterTuningJobStatus"))
    if status == "Failed":
        yield least_forgiving(_failed_trials(client, which)) or answer
    else:
        yield answer


def _failed_trials(client: Any, which: Mapping[str, str]) -> Iterator[Answer]:
    listed = client.list_training_jobs_for_hyper_parameter_tuning_job(**which, MaxResults=100)
    trials = [one for one in each(listed, "TrainingJobSummaries") if one.get("TrainingJobStatus") in _ENDED_BADLY]
    for trial in trials[:MAX_TRIALS]:
        job = client.describe_training_job(TrainingJobName=trial["TrainingJobName"])
        yield _answer("describe_training_job", job, "TrainingJobStatus")


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
    if _is_this_attempts(failure, job, name) and job.get(state) not in _ALIVE:
        yield _answer(call, job, state)


def _is_this_attempts(failure: Failure, job: Mapping[str, Any], name: str) -> bool:
    """Whether the job is what this attempt waited for: its own, or one that it went on with."""
    return (failure.attribute("launched") or {}).get("launched_job") == name or failure.saw(job["CreationTime"])


def _answer(call: str, job: Mapping[str, Any], state: str) -> Answer:
    answer = Answer("sagemaker", call, pick(job, state, "SecondaryStatus", "FailureReason"))
    return answer.on("spot" if job.get("EnableManagedSpotTraining") is True else None)
