# SPDX-License-Identifier: Apache-2.0
"""A task that works until its machine is announced to go, and whose callback returns, hangs or raises."""

import json
import time
from datetime import datetime, timezone
from pathlib import Path

from airflow.sdk import dag, task

FOR_EVER = 7200


def write_down(context, notice):
    """Write down when the author was told, and by when the machine goes; then do what the run's conf says."""
    conf = context["dag_run"].conf
    told = {"at": datetime.now(timezone.utc).isoformat(), "deadline": notice.deadline.isoformat()}
    Path(conf["file"]).write_text(json.dumps(told))
    if conf["callback"] == "hangs":
        time.sleep(FOR_EVER)
    if conf["callback"] == "raises":
        raise RuntimeError("the author's callback has a bug")


@dag(schedule=None, default_args={"interruptible": True, "retries": 2})
def announced():
    """Work in the first attempt, until the notice."""

    @task.interruptible(on_interruption_callback=write_down)
    def work(ti=None):
        print("at work")
        if ti.try_number == 1:
            time.sleep(FOR_EVER)

    work()


announced()
