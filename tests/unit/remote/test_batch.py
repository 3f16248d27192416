# SPDX-License-Identifier: Apache-2.0
"""AWS Batch jobs, described by a client that checks its answers against AWS's model."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote import evidence_of, look_back

HOST_GONE = "Host EC2 (instance i-08784105ffff56b4f) terminated."
QUEUE = "arn:aws:batch:us-east-1:1:job-queue/q"
CONTAINER = {"containerInstanceArn": "arn:aws:ecs:us-east-1:1:container-instance/cluster-a/1"}
LOST_TRY = {"statusReason": HOST_GONE, "container": CONTAINER}
LOST = {**LOST_TRY, "attempts": [LOST_TRY]}
OWN = {"statusReason": "Essential container in task exited", "container": {"exitCode": 1}}


@pytest.fixture
def operator(aws: None) -> Any:
    from airflow.providers.amazon.aws.operators.batch import BatchOperator

    from airflow_interruptible import interruptible

    task = interruptible(BatchOperator)(
        task_id="work", job_name="n", job_definition="d", job_queue="q", region_name="us-east-1"
    )
    task.job_id = "j"
    return task


def described(status: str = "FAILED", **job: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    ids = {"jobId": "j", "jobName": "n", "jobQueue": QUEUE, "startedAt": 0, "jobDefinition": "d"}
    return "describe_jobs", {"jobs": ["j"]}, {"jobs": [{**ids, "status": status, **job}]}


def queue(*environments: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    order = [{"order": number, "computeEnvironment": name} for number, name in enumerate(environments)]
    found = {
        "jobQueueName": "q", "jobQueueArn": QUEUE, "state": "ENABLED", "priority": 1, "computeEnvironmentOrder": order,
    }  # fmt: skip
    return "describe_job_queues", {"jobQueues": [QUEUE]}, {"jobQueues": [found]}


def environments(**types: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    found = [
        {
            "computeEnvironmentName": name,
            "computeEnvironmentArn": name,
            "ecsClusterArn": f"arn:aws:ecs:us-east-1:1:cluster/cluster-{name}",
            "computeResources": {"type": kind, "maxvCpus": 1, "subnets": []},
        }
        for name, kind in types.items()
    ]
    named = {"computeEnvironments": list(types)}
    return "describe_compute_environments", named, {"computeEnvironments": found}


def test_the_authors_own_exit_stays_the_authors(operator: Any, decided: Any, golden: Any) -> None:
    earlier_loss = golden("batch/near-miss-earlier-attempt")
    assert decided(operator, "batch", described(**earlier_loss)) == "ecs/own-exit"

    oom = {"container": {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}}
    assert decided(operator, "batch", described(**oom)) == "ecs/oom"


@pytest.mark.parametrize(
    ("types", "rule"),
    [
        ({"a": "SPOT"}, "ecs/host-gone-on-spot"),
        ({"a": "SPOT", "b": "EC2"}, "ecs/host-gone-on-spot"),
        ({"a": "EC2", "b": "SPOT"}, "ecs/host-gone"),
        ({"x": "EC2", "y": "SPOT"}, "ecs/host-gone"),
    ],
)
def test_the_environment_of_the_lost_host_tells_its_capacity(
    types: dict[str, str], rule: str, operator: Any, decided: Any
) -> None:
    assert decided(operator, "batch", described(**LOST), queue(*types), environments(**types)) == rule


def test_without_permission_to_see_the_queue_the_job_still_counts(operator: Any, decided: Any) -> None:
    refused = ("describe_job_queues", {"jobQueues": [QUEUE]}, {"Error": {"Code": "AccessDeniedException"}})
    assert decided(operator, "batch", described(**LOST), refused) == "ecs/host-gone"


def test_after_a_deferral_the_event_names_the_job(operator: Any, decided: Any, raised: Any) -> None:
    operator.job_id = None
    fargate = described(statusReason="Your Spot Task was interrupted.")
    error = raised("airflow.providers.amazon", RuntimeError("Error while running job: {'job_id': 'j'}"))
    assert decided(operator, "batch", fargate, error=error) == "ecs/fargate-spot"


def test_a_job_that_runs_on_leaves_the_exception(operator: Any, decided: Any) -> None:
    assert decided(operator, "batch", described("RUNNING")) == "ecs/host-gone"


def test_a_job_that_could_not_be_submitted(operator: Any, stubbed: Any, context: dict[str, Any], judged: Any) -> None:
    """BatchOperator raises an AirflowException while it handles the client's own error."""
    operator.job_id = None
    client = stubbed("batch", ("describe_jobs", {"jobs": ["j"]}, {"Error": {"Code": "RequestLimitExceeded"}}))
    program = "try: client.describe_jobs(jobs=['j'])\nexcept Exception as e: raise ValueError(e)"
    with pytest.raises(ValueError, match="RequestLimitExceeded") as error:
        exec(program, {"__name__": "airflow.providers.amazon", "client": client})

    assert judged(evidence_of(operator, error.value, context)).cause is Cause.INFRASTRUCTURE


@pytest.mark.parametrize(
    ("attempt", "job", "rule"),
    [
        ("1", described("RUNNING", attempts=[LOST_TRY]), "ecs/host-gone-on-spot"),
        ("1", described("FAILED", attempts=[LOST_TRY, OWN], **OWN), "ecs/host-gone-on-spot"),
        ("2", described("FAILED", attempts=[LOST_TRY, OWN], **OWN), "ecs/own-exit"),
        ("1", described("FAILED", **OWN), "ecs/own-exit"),
    ],
)
def test_looking_back_only_our_own_try_of_the_job_counts(
    attempt: str, job: Any, rule: str, answering: Any, judged: Any
) -> None:
    answering("batch", job, queue("a"), environments(a="SPOT"))
    evidence = look_back({"batch_job": "j", "batch_attempt": attempt}, CapacityType.SPOT)
    assert judged(evidence).rule == rule


def test_looking_back_at_a_job_that_runs_on(answering: Any) -> None:
    answering("batch", described("RUNNING"))
    assert look_back({"batch_job": "j", "batch_attempt": "1"}, None) is None
