# SPDX-License-Identifier: Apache-2.0
"""Tasks that work for a while; one kind succeeds and leaves a mark, the other always ends in an error of its own."""

import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, task


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2, "system_retries": 60, "system_retry_delay": 0.5},
)
def chaos():
    """Two tasks, one good and one bad."""

    @task.interruptible
    def honest(dag_run=None, ti=None):
        work(dag_run.conf["seconds"])
        with Path(dag_run.conf["marks"], dag_run.run_id).open("a") as marks:
            marks.write(f"{ti.try_number}\n")

    @task.interruptible(retry_delay=timedelta(seconds=1))
    def faulty(dag_run=None):
        work(dag_run.conf["seconds"])
        raise ValueError("a bug of the author's own")

    honest()
    faulty()


def work(seconds):
    """Take a while."""
    for _ in range(int(seconds * 10)):
        time.sleep(0.1)


chaos()
