# SPDX-License-Identifier: Apache-2.0
"""The same two Dags three times: with plain Airflow, with plain Airflow that retries at once, and interruptible.

``wait`` waits for its machine to be taken away, as often as the run's conf says, and then returns. ``copy`` copies a
hundred rows and, as an operator should, stops its work in ``on_kill``.
"""

import time
from datetime import timedelta

from airflow.sdk import BaseOperator, dag, task

from airflow_interruptible import interruptible

ROWS = 100
FOR_EVER = 7200


class CopyRows(BaseOperator):
    """Copies rows and returns how many it has copied."""

    stopped = False

    def execute(self, context):  # noqa: ARG002 - Airflow names it
        """Copy, until told to stop."""
        print("at work")
        for row in range(ROWS):
            if self.stopped:
                return row
            time.sleep(0.1)
        return ROWS

    def on_kill(self):
        """Stop after the present row."""
        self.stopped = True


def wait(ti, dag_run):
    """Wait in as many attempts as the run's conf says."""
    print("at work")
    if ti.try_number <= dag_run.conf["interruptions"]:
        time.sleep(FOR_EVER)


VARIANTS = {
    "plain": (task, CopyRows, {}),
    "plain_at_once": (task, CopyRows, {"retry_delay": timedelta(0)}),
    "interruptible": (task.interruptible, interruptible(CopyRows), {"interruptible": True}),
}


def build(name, decorator, operator, defaults):
    """Make the two Dags of a variant."""
    default_args = {"retries": 2, **defaults}

    @dag(dag_id=f"{name}_wait", schedule=None, default_args=default_args)
    def waiting():
        decorator(wait)()

    @dag(dag_id=f"{name}_copy", schedule=None, default_args=default_args)
    def copying():
        operator(task_id="copy")

    waiting()
    copying()


for variant, parts in VARIANTS.items():
    build(variant, *parts)
