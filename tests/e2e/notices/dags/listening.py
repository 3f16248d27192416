"""A task that is told of its machine's end, and writes down when it was told and by when it has to be done."""

import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import dag, task


def now():
    return datetime.now(timezone.utc).isoformat()


def write_down(context, notice):
    ti, conf = context["ti"], context["dag_run"].conf
    told = {
        "provider": notice.provider,
        "deadline": notice.deadline and notice.deadline.isoformat(),
        "try": ti.try_number,
        "at": now(),
    }
    Path(conf["file"]).write_text(json.dumps(told))
    if conf.get("callback") == "hang":
        time.sleep(600)
    if conf.get("callback") == "raise":
        raise RuntimeError("the author's callback has a bug")


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2, "retry_delay": timedelta(seconds=0)},
)
def listening():
    @task.interruptible(on_interruption_callback=write_down)
    def work(ti=None):
        print(f"try {ti.try_number} plays")
        if ti.try_number == 1:
            time.sleep(600)

    work()


listening()
