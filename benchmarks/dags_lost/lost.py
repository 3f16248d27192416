# SPDX-License-Identifier: Apache-2.0
"""A task that waits for its machine to be lost, on each executor: plain, plain with retries at once, interruptible."""

import time
from datetime import timedelta

from airflow.sdk import dag, task

FOR_EVER = 7200
EXECUTORS = {"kubernetes": "KubernetesExecutor", "ecs": "ecs", "celery": "CeleryExecutor"}
OURS = "ours"
"""The stock executor of ECS, which launches the dead attempt again, with that trap taken out: docs/aws.md."""

VARIANTS = {
    "plain": (task, {}),
    "plain_at_once": (task, {"retry_delay": timedelta(0)}),
    "interruptible": (task.interruptible, {"interruptible": True}),
}


def wait(ti):
    """Wait in the first attempt."""
    print("at work", flush=True)
    if ti.try_number == 1:
        time.sleep(FOR_EVER)


def build(variant, place):
    """Make the Dag of one side on one executor."""
    decorator, defaults = VARIANTS[variant]

    @dag(dag_id=f"{variant}_{place}", schedule=None, default_args={"retries": 2, **defaults})
    def waiting():
        executor = OURS if (variant, place) == ("interruptible", "ecs") else EXECUTORS[place]
        decorator(wait, executor=executor)()

    waiting()


for side in VARIANTS:
    for name in EXECUTORS:
        build(side, name)
