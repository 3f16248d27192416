# SPDX-License-Identifier: Apache-2.0
"""Tasks of Amazon ECS under AwsEcsExecutor, by the ARN that the executor wrote down: a hundred in a call.

Only ``STOPPED`` proves an end. ECS says so for an hour; what it does not know any more may be in another cluster.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, pick
from airflow_interruptible.remote.presence import Life, Proof, Token, chunks, named_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXECUTOR = "EcsExecutor"
_SECTION = "aws_ecs_executor"
_STOPPED = "STOPPED"
_IN_A_CALL = 100


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose task has stopped."""
    named = named_by(lives, _EXECUTOR)
    if not named:
        return
    client = aws.executor_client("ecs", _SECTION)
    cluster = aws.executor_option(_SECTION, "cluster")
    for some in chunks(named, _IN_A_CALL):
        asked = {"tasks": list(some), **({"cluster": cluster} if cluster else {})}
        for task in each(client.describe_tasks(**asked), "tasks"):
            arn = str(task.get("taskArn"))
            if task.get("lastStatus") == _STOPPED and arn in some:
                yield some[arn], Proof(f"its ECS task {arn.rpartition('/')[2]}", _answer(task).classified())


def _answer(task: Mapping[str, object]) -> Answer:
    fields = pick(task, "stopCode", "stoppedReason", "launchType", "capacityProviderName")
    containers = [pick(one, "exitCode", "reason") for one in each(task, "containers")]
    return Answer("ecs", "DescribeTasks", {**fields, "containers": containers})
