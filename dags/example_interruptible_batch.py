# SPDX-License-Identifier: Apache-2.0
"""### Batch jobs on a spot queue, and off it

**What.** `report` submits a Batch job. Every attempt goes to the spot queue, the last user attempt to the on-demand
one. A job whose host is reclaimed is forgiven, and one that outlives its Airflow worker is gone on with.

**Why.** It is the Batch job that costs money; the Airflow task only waits for it. The author names either queue.

**When.** BatchOperator, sync or deferrable, mapped or not, under any executor. Say the pairs of queues once for all,
with `[interruptible] launched`; here the Dag does.

**Prerequisites.** The connection `aws_default`, the queues `cpu-spot` and `cpu`, on environments of spot instances and
of on-demand instances, and a job definition `shell`.
"""

from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.sdk import dag

from airflow_interruptible import interruptible

QUEUES = {"name": "batch", "spot": "cpu-spot", "on_demand": "cpu"}


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2, "compute": QUEUES},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_batch():
    interruptible(BatchOperator)(
        task_id="report",
        job_name="report",
        job_definition="shell",
        job_queue="cpu",
        container_overrides={"command": ["sh", "-c", "echo reported"]},
    )


example_interruptible_batch()
