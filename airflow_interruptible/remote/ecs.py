# SPDX-License-Identifier: Apache-2.0
"""Amazon ECS: what DescribeTasks says of a task that stopped. ECS forgets it after an hour.

The surprising fact: with logs switched on, the operator's exception holds lines of the author's own log instead of the
stop code; and ``Host EC2 (instance ...) terminated.`` needs EC2 to tell whether that host was a spot instance.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote import aws, ec2
from airflow_interruptible.remote.answer import Answer, each, pick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_interruptible.remote.failure import Failure
    from airflow_interruptible.remote.past import Past


def describe(failure: Failure) -> Iterator[Answer]:
    """Describe the task that an EcsRunTaskOperator ran, or why it could not be run."""
    task, refused = failure.task, None
    arn = task.arn or failure.event.get("task_arn")
    if not arn:
        refused = next(_refusals(failure), None)
        arn = None if refused else failure.xcom("ecs_task_arn")
    if refused:
        yield refused
    elif arn:
        yield from _look_at(task.hook.conn, task.cluster, arn, lambda: aws.sibling(task, "ec2"))


def look(past: Past) -> Iterator[Answer]:
    """Look at the ECS task that an attempt ran in. Its cluster is the ECS executor's, unless the task could tell."""
    section, region = "aws_ecs_executor", past.where.get("region")
    cluster = past.where.get("ecs_cluster") or aws.executor_option(section, "cluster")
    client = aws.executor_client("ecs", section, region)
    machines = partial(aws.executor_client, "ec2", section, region)
    for answer in _look_at(client, cluster, past.where["ecs_task"], machines):
        yield past.tell(answer)


def _refusals(failure: Failure) -> Iterator[Answer]:
    """What an EcsOperatorError holds, or the API's own error."""
    for error in failure.chain():
        if failures := each(vars(error), "failures"):
            yield Answer("ecs", "RunTask", {"failures": [pick(one, "reason", "arn") for one in failures]})
    yield from aws.refusal(failure, "ecs")


def _look_at(client: Any, cluster: str | None, arn: str, ec2_client: Callable[[], Any]) -> Iterator[Answer]:
    named = {"tasks": [arn], **({"cluster": cluster} if cluster else {})}
    for task in each(client.describe_tasks(**named), "tasks")[:1]:
        if task.get("lastStatus") != "STOPPED" and not task.get("stopCode"):
            return
        answer = Answer("ecs", "DescribeTasks", end_of(task))
        yield answer
        for kind, name in answer.evidence().names:
            if kind == "instance":
                yield answer.on(ec2.lifecycle(ec2_client(), name))


def end_of(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task that DescribeTasks describes says of its end."""
    fields = pick(task, "stopCode", "stoppedReason", "launchType", "capacityProviderName")
    return {**fields, "containers": [pick(one, "exitCode", "reason") for one in each(task, "containers")]}
