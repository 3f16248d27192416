# SPDX-License-Identifier: Apache-2.0
"""AWS Batch: what DescribeJobs says of a job, and whether the environment it ran in is made of spot instances.

The surprising fact: a queue may draw on spot and on on-demand environments, so only the ECS cluster of the job's own
container instance tells which it was. https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, inside, pick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure
    from airflow_interruptible.remote.past import Past

_ENDED = ("FAILED", "SUCCEEDED")


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the job that a BatchOperator submitted, or why it could not be submitted."""
    name = failure.task.job_id or failure.event.get("job_id")
    if not name:
        yield from aws.refusal(failure, "batch")
        return
    client = failure.task.hook.conn
    job = _job(client, name)
    if job.get("status") in _ENDED:
        yield from _with_capacity(client, job, Answer("batch", "DescribeJobs", end_of(job)))


def look(past: Past) -> Iterator[Answer]:
    """Look at the Batch job that an attempt ran in. Batch may have started it again since: only our own try counts."""
    client = aws.executor_client("batch", "aws_batch_executor", past.where.get("region"))
    job = _job(client, past.where["batch_job"])
    tries, ours = each(job, "attempts"), past.where.get("batch_attempt", "")
    if ours.isdecimal() and 0 < int(ours) <= len(tries):
        fields = end_of_try(tries[int(ours) - 1])
    elif job.get("status") in _ENDED:
        fields = end_of(job)
    else:
        return
    for answer in _with_capacity(client, job, Answer("batch", "DescribeJobs", fields)):
        yield past.tell(answer)


def _job(client: Any, name: str) -> Mapping[str, Any]:
    return next(iter(each(client.describe_jobs(jobs=[name]), "jobs")), {})


def end_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a job that DescribeJobs describes says of its end."""
    tries = [end_of_try(one) for one in each(job, "attempts")]
    return {**pick(job, "status", "isCancelled", "isTerminated"), **end_of_try(job), "attempts": tries}


def end_of_try(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a job, or one of its attempts, says of the end of its container."""
    return {**pick(one, "statusReason"), "container": pick(inside(one, "container"), "exitCode", "reason")}


def _with_capacity(client: Any, job: Mapping[str, Any], answer: Answer) -> Iterator[Answer]:
    yield answer
    if any(kind == "instance" for kind, _ in answer.evidence().names):
        types = {str(inside(one, "computeResources").get("type")) for one in _environments(client, job)}
        if len(types) == 1:
            yield answer.with_fields(computeResources={"type": types.pop()})


def _environments(client: Any, job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The environments of the job's queue; only its own, if the job tells its container instance."""
    queues = each(client.describe_job_queues(jobQueues=[job["jobQueue"]]), "jobQueues")
    names = [one["computeEnvironment"] for queue in queues for one in each(queue, "computeEnvironmentOrder")]
    every = each(client.describe_compute_environments(computeEnvironments=names), "computeEnvironments")
    # arn:aws:ecs:REGION:ACCOUNT:container-instance/CLUSTER/ID, and arn:aws:ecs:REGION:ACCOUNT:cluster/CLUSTER
    instance = str(inside(job, "container").get("containerInstanceArn", "")).split("/")
    own = [one for one in every if str(one.get("ecsClusterArn")).rpartition("/")[2] in instance[1:2]]
    return own or every
