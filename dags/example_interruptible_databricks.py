# SPDX-License-Identifier: Apache-2.0
"""### Databricks runs on spot clusters, and off them

**What.** `report` submits a run on a new cluster. Every attempt asks for spot machines that fall back to on-demand
ones, the last user attempt for on-demand machines. A run whose driver is reclaimed is forgiven, and one that outlives
its Airflow worker is gone on with.

**Why.** A new cluster is on spot if nobody says otherwise, on the last attempt as well.

**When.** DatabricksSubmitRunOperator with a new cluster, sync or deferrable, mapped or not, under any executor.

**Prerequisites.** The connection `databricks_default`.
"""

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.sdk import dag

CLUSTER = {"spark_version": "15.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 2}


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_databricks():
    DatabricksSubmitRunOperator(
        task_id="report",
        new_cluster=CLUSTER,
        spark_python_task={"python_file": "dbfs:/report.py", "parameters": ["echo", "reported"]},
        polling_period_seconds=1,
    )


example_interruptible_databricks()
