# SPDX-License-Identifier: Apache-2.0
"""### Cloud Batch jobs on Spot VMs, and off them

**What.** `shard` submits one Cloud Batch job for each shard. Every attempt asks for the provisioning model `SPOT`, the
last user attempt for `STANDARD`. A job that is preempted is forgiven, and one that outlives its Airflow worker is gone
on with.

**Why.** It is the job that costs money; the Airflow task only waits for it. A job's name can be taken once only, so
each attempt after the first one adds its number to it.

**When.** CloudBatchSubmitJobOperator, sync or deferrable, mapped or not, under any executor.

**Prerequisites.** The connection `google_cloud_default`, and a project in which the Batch API is enabled.
"""

from airflow.providers.google.cloud.operators.cloud_batch import CloudBatchSubmitJobOperator
from airflow.sdk import dag


def job(script: str) -> dict:
    return {"taskGroups": [{"taskSpec": {"runnables": [{"script": {"text": script}}]}}]}


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_cloud_batch():
    CloudBatchSubmitJobOperator.partial(
        task_id="shard", project_id="my-project", region="us-central1", polling_period_seconds=1
    ).expand_kwargs(
        [
            {"job_name": "one-{{ ts_nodash | lower }}", "job": job("echo shard one")},
            {"job_name": "two-{{ ts_nodash | lower }}", "job": job("echo shard two")},
        ]
    )


example_interruptible_cloud_batch()
