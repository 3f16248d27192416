# SPDX-License-Identifier: Apache-2.0
"""SageMakerTrainingOperator as it is installed, made interruptible, against a SageMaker that checks and ends jobs."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from aws_api.sagemaker import SageMaker, TrainingJob
    from aws_api.server import AwsApi


def train(config: Any = None, **arguments: Any) -> Any:
    resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    job = {
        "TrainingJobName": "fit",
        "ResourceConfig": resources,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::123456789012:role/training",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        **(config or {}),
    }
    given = {"task_id": "work", "config": job, "check_interval": 0, "print_log": False}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(SageMakerTrainingOperator)(**given)


@pytest.fixture(autouse=True)
def _expanded_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    """IAM is asked nothing: the role is an ARN already."""
    monkeypatch.setattr(SageMakerTrainingOperator, "expand_role", lambda self: None)


def created(api: AwsApi) -> list[Any]:
    asked = api.requests("CreateTrainingJob")
    return [(one["EnableManagedSpotTraining"], one["StoppingCondition"].get("MaxWaitTimeInSeconds")) for one in asked]


def complete(job: TrainingJob) -> None:
    job.end("Completed", "Completed")


def test_a_reclaim_is_forgiven_and_the_last_attempt_is_on_demand(
    attempts: Any, api: AwsApi, sagemaker: SageMaker
) -> None:
    reclaimed = attempts(lambda: train(retries=1))
    sagemaker.watching = lambda job: job.end("Stopped", "Interrupted")
    assert reclaimed.run() == "retry"
    sagemaker.watching = lambda job: job.end("Failed", "Failed", "AlgorithmError: exit code 1")
    assert reclaimed.run() == "retry"
    sagemaker.watching = complete
    assert reclaimed.run() == "success"
    assert created(api) == [(True, 3900), (True, 3900), (False, None)]
    assert reclaimed.causes == ["spot_interruption", "application", None]
    assert reclaimed.charges == ["system", "user", None]
    assert reclaimed.capacities == ["spot", "spot", "on-demand"]
    assert len(sagemaker.jobs) == 3, "each attempt has a name of its own"
    assert (reclaimed.record.where["launched_saved"], reclaimed.record.where["launched_billable_seconds"]) == (
        "75%",
        "10",
    )


def test_checkpoints_keep_one_place_over_attempts_and_capacities(
    attempts: Any, api: AwsApi, sagemaker: SageMaker
) -> None:
    place = {"CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints/run"}}
    reclaimed = attempts(lambda: train(place, retries=1))
    for end in (("Stopped", "Interrupted"), ("Failed", "Failed"), ("Completed", "Completed")):
        sagemaker.watching = lambda job, end=end: job.end(*end)
        reclaimed.run()
    assert [one["CheckpointConfig"] for one in api.requests("CreateTrainingJob")] == [place["CheckpointConfig"]] * 3
    assert reclaimed.capacities == ["spot", "spot", "on-demand"]


def test_a_job_whose_log_is_printed(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    """The operator's default. What it says of the end is in other words then."""
    printed = attempts(lambda: train(print_log=True))
    sagemaker.watching = lambda job: job.end("Stopped", "MaxWaitTimeExceeded")
    assert printed.run() == "retry"
    sagemaker.watching = complete
    assert printed.run() == "success"
    assert printed.causes == ["no_capacity", None]


@pytest.mark.parametrize("arguments", [{"action_if_job_exists": "fail"}, {"check_if_job_exists": False}])
def test_a_fixed_name_is_another_for_the_next_attempt(
    attempts: Any, api: AwsApi, sagemaker: SageMaker, arguments: Any
) -> None:
    fixed = attempts(lambda: train(**arguments))
    sagemaker.watching = lambda job: job.end("Stopped", "Interrupted")
    assert fixed.run() == "retry"
    sagemaker.watching = complete
    assert fixed.run() == "success"
    assert list(sagemaker.jobs) == ["fit", "fit-2"]


def test_a_job_that_waited_in_vain_is_no_success(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    short = attempts(train)
    sagemaker.watching = lambda job: job.end("Stopped", "MaxWaitTimeExceeded")
    assert short.run() == "retry"
    sagemaker.watching = complete
    assert short.run() == "success"
    assert short.causes == ["no_capacity", None]
    assert [spot for spot, _ in created(api)] == [True, False]


@pytest.mark.parametrize("secondary", ["MaxRuntimeExceeded", "Stopped"])
def test_what_the_author_pays(attempts: Any, api: AwsApi, sagemaker: SageMaker, secondary: str) -> None:
    """Its own limit, and a person: stopped is not done."""
    ended = attempts(train)
    sagemaker.watching = lambda job: job.end("Stopped", secondary)
    assert ended.run() == "retry"
    assert ended.charges == ["user"]


def test_a_signal_stops_the_job(attempts: Any, api: AwsApi, sagemaker: SageMaker) -> None:
    told = attempts(train)
    sagemaker.watching = lambda job: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert [job.status for job in sagemaker.jobs.values()] == ["Stopped"]


def test_a_job_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, api: AwsApi, sagemaker: SageMaker, killer: Any
) -> None:
    lost = attempts(train)
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[TrainingJob] = []

    def watch(job: TrainingJob) -> None:
        seen.append(job)
        if len(seen) > 2:
            complete(job)

    sagemaker.watching = watch
    assert lost.run() == "success"
    assert list(sagemaker.jobs) == ["fit"]
    assert lost.causes == ["infrastructure", None]
    assert "goes on with training job fit of an earlier attempt on spot" in (lost.record.reason or "")


def test_a_job_that_is_gone_on_with_can_be_interrupted(
    attempts: Any, api: AwsApi, sagemaker: SageMaker, killer: Any
) -> None:
    lost = attempts(train)
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[TrainingJob] = []

    def watch(job: TrainingJob) -> None:
        seen.append(job)
        if len(seen) > 2:
            job.end("Stopped", "Interrupted")

    sagemaker.watching = watch
    assert lost.run() == "retry"
    assert lost.causes == ["infrastructure", "spot_interruption"]


def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, api: AwsApi, sagemaker: SageMaker, killer: Any
) -> None:
    lost = attempts(train)
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: train(retries=0)
    sagemaker.watching = lambda job: None if job.request["EnableManagedSpotTraining"] else complete(job)
    assert lost.run() == "success"
    assert [job.status for job in sagemaker.jobs.values()] == ["Stopped", "Completed"]
    assert [spot for spot, _ in created(api)] == [True, False]


@pytest.mark.parametrize(("secondary", "ended"), [("Completed", "success"), ("MaxWaitTimeExceeded", "retry")])
def test_deferrable(attempts: Any, api: AwsApi, sync_triggers: None, secondary: str, ended: str) -> None:
    deferred = attempts(lambda: train(deferrable=True))
    sagemaker: Any = api.services[2]
    seen: list[TrainingJob] = []

    def watch(job: TrainingJob) -> None:
        """The operator looks for a job of that name, and once more before it defers."""
        seen.append(job)
        if len(seen) > 2:
            job.end("Completed" if secondary == "Completed" else "Stopped", secondary)

    sagemaker.watching = watch
    assert deferred.run() == ended
    assert created(api) == [(True, 3900)]
    assert deferred.causes == [None if ended == "success" else "no_capacity"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"config": {"EnableManagedSpotTraining": False}}, "EnableManagedSpotTraining=False and an interruptible task"),
        ({"config": {"RetryStrategy": {"MaximumRetryAttempts": 2}}}, "SageMaker would try again by itself"),
        ({"config": {"ResourceConfig": {"KeepAlivePeriodInSeconds": 60}}}, "no warm pool"),
        ({"config": {"CheckpointConfig": {"S3Uri": "s3://b/{{ ti.try_number }}"}}}, "share one prefix"),
        ({"wait_for_completion": False}, "nobody would see"),
        ({"compute": {"name": "sagemaker", "spot": "a"}}, "takes no options"),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: train(**arguments)).parsed()


def test_mapped_tasks(attempts: Any) -> None:
    operator = interruptible(SageMakerTrainingOperator)

    def mapped(partial: dict[str, Any], expand: dict[str, Any], **dag: Any) -> Any:
        return attempts(
            lambda: operator.partial(task_id="work", interruptible=True, **partial).expand(**expand), dag
        ).parsed()

    mapped({"config": {}}, {"check_interval": [1, 2]})
    mapped({}, {"config": [{"TrainingJobName": "a"}, {"TrainingJobName": "b"}]})
    with pytest.raises(ConfigurationError, match="EnableManagedSpotTraining=False"):
        mapped({}, {"config": [{}, {"EnableManagedSpotTraining": False}]})
    with pytest.raises(ConfigurationError, match="EnableManagedSpotTraining=False"):
        mapped({}, {"check_interval": [1]}, default_args={"config": {"EnableManagedSpotTraining": False}})
