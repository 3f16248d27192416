# SPDX-License-Identifier: Apache-2.0
"""An interruptible task that returns how long it took until its own first line ran."""

import time

from airflow.sdk import dag, task


@dag(schedule=None, default_args={"retries": 2, "interruptible": True})
def start_interruptible():
    """One task."""

    @task.interruptible
    def first_line(ti):
        """Return seconds."""
        return time.time() - ti.start_date.timestamp()

    first_line()


start_interruptible()
