# SPDX-License-Identifier: Apache-2.0
"""### Vertex AI jobs on Spot VMs, and off them

**What.** `train` creates a custom job, `refine` trains with a custom container. Every attempt asks for the scheduling
strategy `SPOT`, the last user attempt for `STANDARD`. A job whose machines are preempted is forgiven, and its next
attempt is on demand.

**Why.** Training is where accelerators cost money. Vertex AI would begin again by itself, on spot each time; the
training operators have no argument that says anything about it.

**When.** CreateCustomJobOperator and the three custom training operators, sync or deferrable, under any executor.

**Prerequisites.** The connection `google_cloud_default`, a project in which the Vertex AI API is enabled, and a bucket
`my-bucket`.
"""

from airflow.providers.google.cloud.operators.vertex_ai.custom_job import (
    CreateCustomContainerTrainingJobOperator,
    CreateCustomJobOperator,
)
from airflow.sdk import dag

IMAGE = "us-docker.pkg.dev/my-project/training/image"
PLACE = {"project_id": "my-project", "region": "us-central1"}
WORKERS = [
    {
        "replica_count": 1,
        "machine_spec": {"machine_type": "n1-standard-4"},
        "container_spec": {"image_uri": IMAGE, "command": ["echo", "trained"]},
    }
]


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_vertex():
    train = CreateCustomJobOperator(
        task_id="train",
        custom_job={"display_name": "train", "job_spec": {"worker_pool_specs": WORKERS}},
        poll_interval=1,
        **PLACE,
    )
    refine = CreateCustomContainerTrainingJobOperator(
        task_id="refine",
        display_name="refine",
        container_uri=IMAGE,
        command=["echo", "refined"],
        base_output_dir="gs://my-bucket/refined",
        staging_bucket="gs://my-bucket",
        **PLACE,
    )
    train >> refine


example_interruptible_vertex()
