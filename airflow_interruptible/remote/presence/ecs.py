# SPDX-License-Identifier: Apache-2.0
"""Tasks of Amazon ECS under AwsEcsExecutor, a hundred in a call: by the name that the ledger or the executor knows.

Only ``STOPPED`` proves an end. ECS says so for an hour; what it does not know any more may be in another cluster.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import Answer, each, moment
from airflow_interruptible.remote.ecs import end_of
from airflow_interruptible.remote.presence import Life, Proof, Token, chunks, may_be_of, named_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXECUTOR = "EcsExecutor"
_SECTION = "aws_ecs_executor"
_STOPPED = "STOPPED"
_IN_A_CALL = 100
_TASK = re.compile(r"(arn:\S+/)?[0-9a-f-]{4,36}")
"""An ARN, or only its last part, which is all that a container on Fargate knows."""


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose task has stopped."""
    named = named_by(lives, _EXECUTOR, "ecs_task", _TASK)
    if not named:
        return
    client = aws.executor_client("ecs", _SECTION)
    cluster = aws.executor_option(_SECTION, "cluster")
    for some in chunks(named, _IN_A_CALL):
        tokens = {_id(name): token for name, token in some.items()}
        asked = {"tasks": list(some), **({"cluster": cluster} if cluster else {})}
        for task in each(client.describe_tasks(**asked), "tasks"):
            name = _id(str(task.get("taskArn")))
            if task.get("lastStatus") != _STOPPED or name not in tokens:
                continue
            if may_be_of(lives[tokens[name]], moment(task.get("createdAt"))):
                yield (
                    tokens[name],
                    Proof(f"its ECS task {name}", Answer("ecs", "DescribeTasks", end_of(task)).classified()),
                )


def _id(name: str) -> str:
    return name.rpartition("/")[2]
