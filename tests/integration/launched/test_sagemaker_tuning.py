# SPDX-License-Identifier: Apache-2.0
"""SageMakerTuningOperator as it is installed, made interruptible, against a SageMaker that checks and ends jobs."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTuningOperator
from aws_api.sagemaker import TrainingJob

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_api.sagemaker import SageMaker, TuningJob
    from aws_api.server import AwsApi

TRIAL = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/training",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {
                "FileSystemDataSource": {
                    "FileSystemId": "fs-0123456789a",
                    "FileSystemAccessMode": "ro",
                    "FileSystemType": "EFS",
                    "DirectoryPath": "/train",
                }
            },
        }
    ],
}


def tune(trial: Any = None, **arguments: Any) -> Any:
    job = {
        "HyperParameterTuningJobName": "tune",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "ResourceLimits": {"MaxParallelTrainingJobs": 2},
        },
        "TrainingJobDefinition": {**TRIAL, **(trial or {})},
    }
    given = {"task_id": "work", "config": job, "check_interval": 0}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(SageMakerTuningOperator)(**given)


@pytest.fixture(autouse=True)
def _expanded_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    """IAM is asked nothing: the role is an ARN already."""
    monkeypatch.setattr(SageMakerTuningOperator, "expand_role", lambda self: None)


def created(api: AwsApi) -> list[Any]:
    asked = api.requests("CreateHyperParameterTuningJob")
    return [
        (one["HyperParameterTuningJobName"], one["TrainingJobDefinition"]["EnableManagedSpotTraining"]) for one in asked
    ]


def failing(sagemaker: SageMaker, status: str, secondary: str, reason: str | None = None) -> Callable[[Any], None]:
    """What lets a tuning job fail since its trials have."""

    def watch(job: Any) -> None:
        if isinstance(job, TrainingJob):
            return
        request = {**TRIAL, **job.request["TrainingJobDefinition"], "TrainingJobName": "trial"}
        trial = sagemaker.jobs["trial"] = TrainingJob(request, status, secondary, reason)
        job.trials = [trial]
        job.end("Failed")

    return watch


def complete(job: TuningJob) -> None:
    job.end("Completed")


def test_a_tuning_job_is_judged_by_its_trials(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    reclaimed = attempts(lambda: tune(retries=1))
    sagemaker.watching = failing(sagemaker, "Stopped", "Interrupted")
    assert reclaimed.run() == "retry"
    sagemaker.watching = failing(sagemaker, "Failed", "Failed", "AlgorithmError: exit code 1")
    assert reclaimed.run() == "retry"
    sagemaker.watching = complete
    assert reclaimed.run() == "success"
    assert created(api) == [("tune", True), ("tune-2", True), ("tune-3", False)]
    assert reclaimed.causes == ["spot_interruption", "application", None]
    assert reclaimed.charges == ["system", "user", None]
    assert reclaimed.capacities == ["spot", "spot", "on-demand"]
    assert reclaimed.record.where["launched_trials_stopped"] == "0"


def test_trials_that_waited_in_vain_lead_to_on_demand(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    short = attempts(tune)
    sagemaker.watching = failing(sagemaker, "Stopped", "MaxWaitTimeExceeded")
    assert short.run() == "retry"
    sagemaker.watching = complete
    assert short.run() == "success"
    assert short.causes == ["no_capacity", None]
    assert [spot for _, spot in created(api)] == [True, False]


def test_a_stopped_job_is_no_success(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    stopped = attempts(tune)
    sagemaker.watching = lambda job: job.end("Stopped")
    assert stopped.run() == "retry"
    assert (stopped.causes, stopped.charges) == (["application"], ["user"])


def test_a_signal_stops_the_job(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    told = attempts(tune)
    sagemaker.watching = lambda job: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert [job.status for job in sagemaker.tunings.values()] == ["Stopped"]


def test_a_job_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, api: AwsApi, sagemaker: SageMaker, killer: Any
) -> None:
    lost = attempts(tune)
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[TuningJob] = []

    def watch(job: TuningJob) -> None:
        seen.append(job)
        if len(seen) > 2:
            complete(job)

    sagemaker.watching = watch
    assert lost.run() == "success"
    assert created(api) == [("tune", True)]
    assert lost.causes == ["infrastructure", None]


def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, api: AwsApi, sagemaker: SageMaker, killer: Any
) -> None:
    lost = attempts(tune)
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: tune(retries=0)
    sagemaker.watching = lambda job: (
        None if job.request["TrainingJobDefinition"]["EnableManagedSpotTraining"] else complete(job)
    )
    assert lost.run() == "success"
    assert [job.status for job in sagemaker.tunings.values()] == ["Stopped", "Completed"]
    assert created(api) == [("tune", True), ("tune-2", False)]


@pytest.mark.usefixtures("sync_triggers")
@pytest.mark.parametrize(("end", "ended"), [("Completed", "success"), ("Stopped", "retry")])
def test_deferrable(attempts: Any, api: AwsApi, sagemaker: SageMaker, end: str, ended: str) -> None:
    deferred = attempts(lambda: tune(deferrable=True))
    sagemaker.watching = lambda job: job.end(end)
    assert deferred.run() == ended
    assert created(api) == [("tune", True)]
    assert deferred.charges == [None if ended == "success" else "user"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"trial": {"EnableManagedSpotTraining": False}}, "EnableManagedSpotTraining=False and an interruptible task"),
        ({"trial": {"RetryStrategy": {"MaximumRetryAttempts": 2}}}, "SageMaker would try again by itself"),
        ({"wait_for_completion": False}, "nobody would see"),
        ({"compute": {"name": "sagemaker_tuning", "spot": "a"}}, "takes no options"),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: tune(**arguments)).parsed()


def test_mapped_over_what_is_tuned(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    operator = interruptible(SageMakerTuningOperator)

    def mapped(configs: list[Any]) -> Any:
        return attempts(lambda: operator.partial(task_id="work", interruptible=True).expand(config=configs)).parsed()

    mapped([{"TrainingJobDefinition": {}}, {"TrainingJobDefinition": {"EnableManagedSpotTraining": True}}])
    with pytest.raises(ConfigurationError, match="EnableManagedSpotTraining=False"):
        mapped([{"TrainingJobDefinition": {"EnableManagedSpotTraining": False}}])
