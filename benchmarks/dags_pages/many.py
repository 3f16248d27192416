# SPDX-License-Identifier: Apache-2.0
"""Twenty Dags of ten interruptible tasks. Nothing runs them: their runs are written into the database."""

from airflow.sdk import DAG, task


def nothing():
    """Do nothing."""


for number in range(20):
    with DAG(f"pages_{number:02}", schedule=None, default_args={"retries": 2, "interruptible": True}):
        for place in range(10):
            task.interruptible(task_id=f"task_{place}")(nothing)()
