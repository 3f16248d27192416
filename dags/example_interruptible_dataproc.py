# SPDX-License-Identifier: Apache-2.0
"""### A Dataproc cluster whose secondary workers are spot, and one that is not

**What.** `create` makes a cluster for the tasks after it. Every attempt asks for secondary workers that are spot, the
last user attempt for ones that are not. A cluster of an earlier attempt is used again, unless it is of the other kind:
that one is deleted first.

**Why.** Masters and primary workers are never spot, so the money is in the secondary workers. Losing some of them slows
the work and fails nothing.

**When.** DataprocCreateClusterOperator with secondary workers, sync or deferrable, under any executor.

**Prerequisites.** The connection `google_cloud_default`, and a project in which the Dataproc API is enabled.
"""

from airflow.providers.google.cloud.operators.dataproc import DataprocCreateClusterOperator
from airflow.sdk import dag


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_dataproc():
    DataprocCreateClusterOperator(
        task_id="create",
        project_id="my-project",
        region="us-central1",
        cluster_name="report",
        cluster_config={"worker_config": {"num_instances": 2}, "secondary_worker_config": {"num_instances": 8}},
    )


example_interruptible_dataproc()
