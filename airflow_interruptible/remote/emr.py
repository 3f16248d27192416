# SPDX-License-Identifier: Apache-2.0
"""Amazon EMR: clusters, steps on a cluster, jobs on EKS, serverless jobs.

The trap: a step fails without a reason when its cluster goes, so the cluster is asked, too. A serverless job that was
cancelled tells nothing, since the operator itself cancels whatever it stops waiting for.
https://docs.aws.amazon.com/emr/latest/APIReference/API_ClusterStateChangeReason.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, inside, least_forgiving, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure

MAX_STEPS = 10
"""How many steps are asked for: each is a request."""

_CLUSTER_OVER = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")
_CANCELLED = ("CANCELLED", "CANCELLING")
_BAD_STEP = ("FAILED", "CANCELLED", "INTERRUPTED")


def steps(failure: Failure) -> Iterator[Answer]:
    """Describe the failed steps of an EmrAddStepsOperator, and their cluster if it is over."""
    client = failure.task.hook.conn
    cluster = failure.task.job_flow_id or failure.xcom("job_flow_id")
    answer = least_forgiving(_failed_steps(failure, client, cluster))
    if answer is not None:
        yield answer
    status = inside(client.describe_cluster(ClusterId=cluster), "Cluster", "Status")
    if status.get("State") in _CLUSTER_OVER and failure.saw(inside(status, "Timeline").get("EndDateTime")):
        answer = answer or Answer("emr", "DescribeCluster", {})
        yield answer.with_fields(Cluster={"Status": _end_of(status)})


def cluster(failure: Failure) -> Iterator[Answer]:
    """Describe the cluster that an EmrCreateJobFlowOperator created, or why it could not be created."""
    name = failure.attribute("_job_flow_id") or failure.event.get("job_flow_id")
    if not name:
        yield from aws.refusal(failure, "emr")
        return
    status = inside(failure.task.hook.conn.describe_cluster(ClusterId=name), "Cluster", "Status")
    if status.get("State") in _CLUSTER_OVER:
        yield Answer("emr", "DescribeCluster", {"Cluster": {"Status": _end_of(status)}})


def _end_of(status: Mapping[str, Any]) -> dict[str, Any]:
    details = [pick(one, "ErrorCode") for one in each(status, "ErrorDetails")]
    return {**pick(status, "State", "StateChangeReason"), "ErrorDetails": details}


def _failed_steps(failure: Failure, client: Any, cluster: str) -> Iterator[Answer]:
    """The step at which the operator gave up, or those that the trigger had watched."""
    names = failure.event.get("value")
    steps = [inside(aws.last_response(failure), "Step")] if not isinstance(names, list) else [
        inside(client.describe_step(ClusterId=cluster, StepId=name), "Step") for name in names[:MAX_STEPS]
    ]  # fmt: skip
    for step in steps:
        status = inside(step, "Status")
        if status.get("State") in _BAD_STEP:
            yield Answer("emr", "DescribeStep", {"Step": {"Status": pick(status, "State", "StateChangeReason")}})


def container(failure: Failure) -> Iterator[Answer]:
    """Describe the job of an EmrContainerOperator, on EKS."""
    name = failure.task.job_id or failure.event.get("job_id")
    if not name:
        yield from aws.refusal(failure, "emr")
        return
    answer = failure.task.hook.conn.describe_job_run(id=name, virtualClusterId=failure.task.virtual_cluster_id)
    yield from _job_run(inside(answer, "jobRun"))


def serverless(failure: Failure) -> Iterator[Answer]:
    """Describe the job of an EmrServerlessStartJobOperator. After a deferral the operator does not tell its name."""
    task = failure.task
    if not task.job_id:
        yield from aws.refusal(failure, "emr")
        return
    job = inside(task.hook.conn.get_job_run(applicationId=task.application_id, jobRunId=task.job_id), "jobRun")
    if job.get("state") not in _CANCELLED:
        yield from _job_run(job)


def _job_run(job: Mapping[str, Any]) -> Iterator[Answer]:
    if job.get("state") in ("FAILED", *_CANCELLED):
        yield Answer("emr", "DescribeJobRun", {"jobRun": pick(job, "state", "failureReason")})
