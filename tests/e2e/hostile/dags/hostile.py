"""A hundred tasks that never run, for nothing has a slot in their pool; and one that has nothing to do with them."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

from airflow_interruptible import interruptible

LATER = {"retry_delay": timedelta(days=1), "pool": "closed"}

with DAG("hostile", schedule=None, max_active_runs=1000, default_args=LATER):
    for number in range(100):
        interruptible(BashOperator)(
            task_id=f"work_{number}", bash_command="true", interruptible=True, retries=2, system_retries=2
        )

with DAG("neighbour", schedule=None):
    BashOperator(task_id="work", bash_command="true")
