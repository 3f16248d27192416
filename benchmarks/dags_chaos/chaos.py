# SPDX-License-Identifier: Apache-2.0
"""Tasks that work for a while. All but one succeed and leave a mark; that one always ends in an error of its own.

While an attempt works it says so, so that two that do it at once are found out.
"""

import signal
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, task

from airflow_interruptible.operators import BashOperator

SCRIPT = """
work="{{ dag_run.conf['marks'] }}/{{ run_id }}.{{ ti.task_id }}.work"
says() { echo "{{ ti.try_number }} $(date +%s.%N)" >> "$work"; }
saves() { for _ in 1 2 3 4 5 6 7 8 9 10; do says; sleep 0.2; done; exit 143; }
trap saves TERM
for _ in $(seq {{ (dag_run.conf['seconds'] * 5) | int }}); do says; sleep 0.2 & wait $!; done
echo "{{ ti.try_number }}" >> "{{ dag_run.conf['marks'] }}/{{ run_id }}.{{ ti.task_id }}"
"""


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2, "system_retries": 60, "system_retry_delay": 0.5},
)
def chaos():
    """Tasks as there are many."""

    @task.interruptible
    def honest(dag_run=None, ti=None):
        work(dag_run, ti)
        mark(dag_run, ti)

    @task.interruptible
    def handled(dag_run=None, ti=None):
        """Stops early when it is told to, as a crawler or a trainer does, and returns what it has."""
        told = []
        signal.signal(signal.SIGTERM, lambda *_: told.append(True))
        if work(dag_run, ti, told):
            mark(dag_run, ti)

    @task.interruptible
    def stubborn(dag_run=None, ti=None):
        """Takes no notice, and works on for longer than any grace."""
        signal.signal(signal.SIGTERM, lambda *_: None)
        work(dag_run, ti)
        mark(dag_run, ti)

    @task.interruptible(retry_delay=timedelta(seconds=1))
    def faulty(dag_run=None, ti=None):
        work(dag_run, ti)
        raise ValueError("a bug of the author's own")

    honest()
    handled()
    stubborn()
    faulty()
    BashOperator(task_id="script", bash_command=SCRIPT)


def work(dag_run, ti, told=()):
    """Take a while; return whether it was not told to stop."""
    with Path(dag_run.conf["marks"], f"{dag_run.run_id}.{ti.task_id}.work").open("a", buffering=1) as working:
        for _ in range(int(dag_run.conf["seconds"] * 10)):
            if told:
                return False
            working.write(f"{ti.try_number} {time.time()}\n")
            time.sleep(0.1)
    return True


def mark(dag_run, ti):
    """Leave word that all of it was done."""
    with Path(dag_run.conf["marks"], f"{dag_run.run_id}.{ti.task_id}").open("a") as marks:
        marks.write(f"{ti.try_number}\n")


chaos()
