# SPDX-License-Identifier: Apache-2.0
"""SageMaker and EMR, described by clients that check their answers against AWS's model."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

MINUTE = timedelta(minutes=1)


@pytest.fixture
def training(aws: None) -> Any:
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

    from airflow_interruptible import interruptible

    return interruptible(SageMakerTrainingOperator)(task_id="work", config={"TrainingJobName": "t"}, deferrable=False)


@pytest.fixture
def job(context: dict[str, Any]) -> Any:
    """``job(**fields)``: the answer about a training job of this attempt."""

    def describe(name: str = "t", **fields: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
        answer = {
            "TrainingJobName": name,
            "TrainingJobArn": "arn:aws:sagemaker:us-east-1:1:training-job/t",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://m"},
            "TrainingJobStatus": "Failed",
            "SecondaryStatus": "Failed",
            "StoppingCondition": {},
            "CreationTime": context["ti"].start_date + MINUTE,
            "HyperParameters": {"SecondaryStatus": "Interrupted"},
            **fields,
        }
        return "describe_training_job", {"TrainingJobName": name}, answer

    return describe


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"FailureReason": "AlgorithmError: Host EC2 terminated"}, "sagemaker/own-fault"),
        ({"FailureReason": "InternalServerError: We encountered an internal error."}, "sagemaker/internal-error"),
        ({"FailureReason": "CapacityError: Unable to provision ML compute capacity."}, "sagemaker/capacity-error"),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "Interrupted", "EnableManagedSpotTraining": True},
         "sagemaker/interrupted"),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxWaitTimeExceeded"}, "sagemaker/max-wait"),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}, "sagemaker/max-runtime"),
        ({"TrainingJobStatus": "InProgress", "SecondaryStatus": "Interrupted"}, "ecs/host-gone"),
    ],
)  # fmt: skip
def test_a_training_job_says_it_whatever_the_text_says(
    fields: dict[str, Any], rule: str, training: Any, job: Any, decided: Any
) -> None:
    assert decided(training, "sagemaker", job(**fields)) == rule


def test_a_job_of_that_name_from_an_earlier_attempt_is_nothing(
    training: Any, job: Any, decided: Any, context: dict[str, Any]
) -> None:
    old = job(SecondaryStatus="Interrupted", CreationTime=context["ti"].start_date - 60 * MINUTE)
    assert decided(training, "sagemaker", old) == "ecs/host-gone"


def test_after_a_deferral_the_event_names_the_job(training: Any, job: Any, decided: Any, raised: Any) -> None:
    event = {"status": "failed", "job_name": "t-2", "message": "AlgorithmError: x"}
    error = raised("airflow.providers.amazon", RuntimeError(f"Error while running job: {event}"))
    described = job("t-2", FailureReason="AlgorithmError: x")
    assert decided(training, "sagemaker", described, error=error) == "sagemaker/own-fault"


@pytest.mark.parametrize("kind", ["Processing", "Transform"])
def test_the_other_kinds_of_job(kind: str, aws: None, decided: Any, context: dict[str, Any]) -> None:
    from airflow.providers.amazon.aws.operators import sagemaker

    config = {f"{kind}JobName": "n"}
    config = {"Transform": config, "Model": {}} if kind == "Transform" else config
    task = getattr(sagemaker, f"SageMaker{kind}Operator")(task_id="work", config=config, deferrable=False)
    answer = {
        f"{kind}JobName": "n",
        f"{kind}JobArn": f"arn:aws:sagemaker:us-east-1:123456789012:{kind.lower()}-job/n",
        f"{kind}JobStatus": "Failed",
        "FailureReason": "InternalServerError: x",
        "CreationTime": context["ti"].start_date,
    }
    if kind == "Processing":
        cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        answer |= {"ProcessingResources": {"ClusterConfig": cluster}, "AppSpecification": {"ImageUri": "i"}}
    else:
        source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://i"}}}
        answer |= {"ModelName": "m", "TransformInput": source}
        answer |= {"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}
    described = (f"describe_{kind.lower()}_job", {f"{kind}JobName": "n"}, answer)
    assert decided(task, "sagemaker", described) == "sagemaker/internal-error"


@pytest.fixture
def steps(aws: None) -> Any:
    from airflow.providers.amazon.aws.operators.emr import EmrAddStepsOperator

    return EmrAddStepsOperator(task_id="work", job_flow_id="j-1", steps=[], deferrable=False)


def cluster(state: str, ended: Any = None, **reason: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    timeline = {} if ended is None else {"EndDateTime": ended}
    status = {"State": state, "StateChangeReason": reason, "Timeline": timeline}
    return "describe_cluster", {"ClusterId": "j-1"}, {"Cluster": {"Id": "j-1", "Status": status}}


def step(name: str, state: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    answer = {"Step": {"Id": name, "Status": {"State": state, "StateChangeReason": {}}}}
    return "describe_step", {"ClusterId": "j-1", "StepId": name}, answer


LOST = {"Code": "INSTANCE_FAILURE", "Message": "The master node was terminated and cannot recover"}
SPOT = {"Code": "INSTANCE_FAILURE", "Message": "All slaves in the job flow were terminated due to Spot"}


@pytest.mark.parametrize(
    ("calls", "rule"),
    [
        ([step("s-1", "COMPLETED"), step("s-2", "FAILED"), cluster("RUNNING")], None),
        ([step("s-1", "FAILED"), step("s-2", "CANCELLED"), cluster("TERMINATED_WITH_ERRORS", **LOST)], "emr/lost"),
        ([step("s-1", "FAILED"), step("s-2", "CANCELLED"), cluster("TERMINATED_WITH_ERRORS", **SPOT)], "emr/spot"),
        ([step("s-1", "FAILED"), step("s-2", "PENDING"), cluster("TERMINATING", Code="STEP_FAILURE")], "emr/own-fault"),
        ([step("s-1", "RUNNING"), step("s-2", "PENDING"), cluster("RUNNING")], "ecs/host-gone"),
    ],
)
def test_steps_and_their_cluster(calls: Any, rule: str | None, steps: Any, decided: Any, raised: Any) -> None:
    event = {"status": "error", "message": "x", "value": ["s-1", "s-2"]}
    error = raised("airflow.providers.amazon", RuntimeError(f"Error while running steps: {event}"))
    if rule == "ecs/host-gone":
        from airflow.sdk.exceptions import AirflowException

        text = "The task was stopped because the host instance terminated: Host EC2 (instance i-0abc) terminated."
        error = raised("airflow.providers.amazon", AirflowException(text))
        calls = calls[-1:]
    assert decided(steps, "emr", *calls, error=error) == rule


def test_a_cluster_that_was_lost_before_this_attempt_is_nothing(
    steps: Any, decided: Any, context: dict[str, Any]
) -> None:
    before = cluster("TERMINATED_WITH_ERRORS", context["ti"].start_date - 60 * MINUTE, **SPOT)
    assert decided(steps, "emr", before) == "ecs/host-gone"


def test_the_step_at_which_the_waiter_gave_up(steps: Any, decided: Any, raised: Any, context: dict[str, Any]) -> None:
    from airflow.providers.amazon.aws.exceptions import WaiterTerminalFailure

    _, _, answer = step("s-1", "CANCELLED")
    error = raised("airflow.providers.amazon", WaiterTerminalFailure("x", answer))
    assert decided(steps, "emr", cluster("RUNNING"), error=error) == "emr/step-cancelled"


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"state": "FAILED", "failureReason": "USER_ERROR"}, "emr/job-user-error"),
        ({"state": "FAILED", "failureReason": "CLUSTER_UNAVAILABLE"}, "emr/job-infrastructure"),
        ({"state": "RUNNING"}, "ecs/host-gone"),
    ],
)
def test_a_job_on_eks(fields: Any, rule: str, aws: None, decided: Any, raised: Any) -> None:
    from airflow.providers.amazon.aws.operators.emr import EmrContainerOperator

    task = EmrContainerOperator(
        task_id="work", name="n", virtual_cluster_id="v", execution_role_arn="r", release_label="l", job_driver={}
    )
    task.job_id = "j"
    described = ("describe_job_run", {"id": "j", "virtualClusterId": "v"}, {"jobRun": fields})
    assert decided(task, "emr-containers", described) == rule


@pytest.mark.parametrize(
    ("state", "rule"), [("FAILED", None), ("CANCELLED", "ecs/host-gone"), ("CANCELLING", "ecs/host-gone")]
)
def test_a_serverless_job_that_the_operator_itself_cancels(
    state: str, rule: str | None, aws: None, decided: Any
) -> None:
    from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

    task = EmrServerlessStartJobOperator(task_id="work", application_id="a", execution_role_arn="r", job_driver={})
    task.job_id = "j"
    ids = {"applicationId": "a", "jobRunId": "j"}
    role = "arn:aws:iam::123456789012:role/airflow"
    job = {
        **ids,
        **dict.fromkeys(("createdBy", "executionRole"), role),
        **dict.fromkeys(("createdAt", "updatedAt"), 0),
        "arn": "arn:aws:emr-serverless:us-east-1:123456789012:/applications/a/jobruns/j",
        "state": state,
        "stateDetails": "Job failed: INTERNAL_ERROR",
        "releaseLabel": "l",
        "jobDriver": {"hive": {"query": "q"}},
    }
    assert decided(task, "emr-serverless", ("get_job_run", ids, {"jobRun": job})) == rule


@pytest.fixture
def glue(aws: None) -> Any:
    from airflow.providers.amazon.aws.operators.glue import GlueJobOperator

    from airflow_interruptible import interruptible

    return interruptible(GlueJobOperator)(task_id="work", job_name="etl", script_location="/local.py", deferrable=False)


def glue_run(state: str, run: str = "jr_1", **fields: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    job = {"Id": run, "JobRunState": state, "Arguments": {"--JobRunState": "TIMEOUT"}, **fields}
    return "get_job_run", {"JobName": "etl", "RunId": run}, {"JobRun": job}


@pytest.mark.parametrize(
    ("run", "rule"),
    [
        (glue_run("TIMEOUT"), "glue/timeout"),
        (glue_run("STOPPED"), "glue/stopped-by-person"),
        (glue_run("EXPIRED", ExecutionClass="FLEX"), "glue/flex-waiting"),
        (glue_run("FAILED", ErrorMessage="Command failed with exit code 1"), "glue/command-failed"),
        (glue_run("FAILED", ErrorMessage="Internal service error : x"), "glue/launch-failed"),
        (glue_run("FAILED", ErrorMessage="ValueError: Host EC2 (instance i-0abc) terminated."), None),
        (glue_run("RUNNING"), "ecs/host-gone"),
    ],
)
def test_a_glue_run_says_it_whatever_the_text_says(run: Any, rule: str | None, glue: Any, decided: Any) -> None:
    glue._job_run_id = "jr_1"
    assert decided(glue, "glue", run) == rule


def test_after_a_deferral_the_glue_run_is_asked_for_without_the_hook_that_uploads(
    glue: Any, answering: Any, rule_of: Any, context: dict[str, Any]
) -> None:
    context["xcoms"]["glue_job_run_id"] = "jr_2"
    answering("glue", glue_run("TIMEOUT", "jr_2"))

    assert rule_of(glue) == "glue/timeout"
    assert "hook" not in vars(glue)


def test_a_glue_run_that_was_never_started_is_nothing(glue: Any, decided: Any) -> None:
    assert decided(glue, "glue") == "ecs/host-gone"


def test_what_emr_says_of_the_primary_node_counts(steps: Any, decided: Any, raised: Any) -> None:
    error = raised("airflow.providers.amazon", RuntimeError("Error while running steps: {'value': ['s-1']}"))
    over = cluster("TERMINATED_WITH_ERRORS", Code="INTERNAL_ERROR")
    over[2]["Cluster"]["Status"]["ErrorDetails"] = [{"ErrorCode": "INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY"}]

    assert decided(steps, "emr", step("s-1", "FAILED"), over, error=error) == "emr/primary-spot"
