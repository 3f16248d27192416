# SPDX-License-Identifier: Apache-2.0
"""A task whose state is then updated; it never runs."""

from airflow.sdk import dag, task


@dag(schedule=None, default_args={"retries": 2})
def interruptible():
    """One task."""

    @task.interruptible(interruptible=True)
    def work():
        """Nothing."""

    work()


interruptible()
