# SPDX-License-Identifier: Apache-2.0
"""Plain Airflow tasks whose machines the lab's own tests take away. Nothing of this package is used here."""

from __future__ import annotations

import subprocess
import time
from datetime import timedelta

from airflow.sdk import dag, task


def _work(seconds: float) -> None:
    print("at work", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)


@dag(schedule=None)
def lab_probe():
    @task(retries=2, retry_delay=timedelta(seconds=1))
    def work(dag_run=None):
        if dag_run.conf.get("leave_a_child"):
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
        _work(dag_run.conf["seconds"])

    work()


@dag(schedule=None)
def lab_mapped():
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def each(seconds):
        _work(seconds)

    each.expand(seconds=[0, 600])


@dag(schedule=None)
def lab_quick():
    @task
    def answer():
        return 42

    answer()


lab_probe()
lab_mapped()
lab_quick()
