# SPDX-License-Identifier: Apache-2.0
"""### Spot workers and on-demand workers on two Celery queues

**What.** The first attempts of `fit` are taken by workers that serve the queue `gpu-spot`, the last user attempt by
one that serves `gpu`.

**Why.** Celery workers choose what they serve by queue, so that is what moves.

**When.** CeleryExecutor or EdgeExecutor. Say it once in airflow.cfg for all tasks (`[interruptible] compute =
queue`); this task has a pair of its own.

**Prerequisites.** Workers on both queues, as in `airflow celery worker --queues gpu-spot`; other executors ignore
the queue.
"""

from airflow.sdk import dag, task


@dag(
    schedule=None, default_args={"interruptible": True, "retries": 2}, doc_md=__doc__, tags=["example", "interruptible"]
)
def example_interruptible_queues():
    @task.interruptible(compute={"name": "queue", "spot": "gpu-spot", "on_demand": "gpu"})
    def fit():
        return "fitted"

    fit()


example_interruptible_queues()
