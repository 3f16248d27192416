# SPDX-License-Identifier: Apache-2.0
"""### ECS tasks on Fargate Spot, and off it

**What.** `shard` runs one ECS task for each shard, `report` one more. Every attempt asks for Fargate Spot, the last
user attempt for Fargate. A task that a reclaim takes is forgiven, also if its program exits with 0, and one that
outlives its Airflow worker is gone on with.

**Why.** It is the ECS task that costs money; the Airflow task only waits for it. The word is the Dag's, the operators
are stock ones.

**When.** EcsRunTaskOperator, sync or deferrable, mapped or not, under any executor.

**Prerequisites.** The connection `aws_default`, a cluster `batch` with the capacity providers FARGATE_SPOT and FARGATE,
and a task definition `shell` with a container `main`.
"""

from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator
from airflow.sdk import dag

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}


def running(script: str) -> dict:
    return {"containerOverrides": [{"name": "main", "command": ["sh", "-c", script]}]}


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_ecs():
    common = {"cluster": "batch", "task_definition": "shell", "network_configuration": NETWORK, "waiter_delay": 1}
    shards = EcsRunTaskOperator.partial(task_id="shard", **common).expand(
        overrides=[running("echo shard one"), running("echo shard two")]
    )
    shards >> EcsRunTaskOperator(task_id="report", overrides=running("echo the shards are done"), **common)


example_interruptible_ecs()
