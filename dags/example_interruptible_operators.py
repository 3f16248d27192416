# SPDX-License-Identifier: Apache-2.0
"""### Stock operators, interruptible without a word on them

**What.** Every operator of this Dag is Airflow's own, and every one is interruptible, since the Dag's
`default_args` say so: plain, mapped, a sensor, in a TaskGroup.

**Why.** A Dag that exists already should not have to be rewritten to use spot machines.

**When.** Always, as a first step; annotate single tasks later.

**Prerequisites.** None.
"""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import TaskGroup, dag


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_operators():
    ready = PythonSensor(task_id="ready", python_callable=lambda: True, poke_interval=1, timeout=60)
    shards = BashOperator.partial(task_id="shards").expand(bash_command=[f"echo shard {n}" for n in range(3)])
    with TaskGroup("publish", default_args={"interruptible": False}):  # this part stays on demand
        publish = BashOperator(task_id="upload", bash_command="echo published")
    ready >> shards >> publish


example_interruptible_operators()
