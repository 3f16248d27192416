# SPDX-License-Identifier: Apache-2.0
"""A task that returns how long it took until its own first line ran."""

import time

from airflow.sdk import dag, task


@dag(schedule=None, default_args={"retries": 2})
def start_plain():
    """One task."""

    @task
    def first_line(ti):
        """Return seconds."""
        return time.time() - ti.start_date.timestamp()

    first_line()


start_plain()
