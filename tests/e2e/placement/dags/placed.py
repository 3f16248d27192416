"""Tasks whose Airflow task itself is placed: on a queue, or on an executor."""

import time
from datetime import timedelta

from airflow.configuration import conf
from airflow.sdk import dag, task

QUEUES = {"name": "queue", "spot": "spot-workers", "on_demand": "default"}
EXECUTORS = {"name": "executor", "spot": "spot_pool", "on_demand": "LocalExecutor"}
DEFAULTS = {"interruptible": True, "retry_delay": timedelta(seconds=0.2), "retries": 2}


def play(dag_run, ti):
    step = dag_run.conf.get("script", {}).get(str(ti.try_number), "ok")
    print(f"try {ti.try_number} plays {step}")
    if step == "error":
        raise ValueError(step)
    if step == "wait":
        time.sleep(600)


def placed(dag_id, task_id, **arguments):
    @dag(dag_id=dag_id, schedule=None, default_args=DEFAULTS)
    def build():
        @task.interruptible(task_id=task_id, **arguments)
        def work(dag_run=None, ti=None):
            play(dag_run, ti)

        work()

    return build()


placed("on_queues", "work", compute=QUEUES)
placed("on_executors", "work", compute=EXECUTORS)
placed("lost", "lost_in_queue", compute=EXECUTORS)
placed("stuck", "stuck_in_queue", compute=EXECUTORS)
placed("not_interruptible", "work", compute=QUEUES, interruptible=False)
if "placing:" in conf.get("core", "executor"):
    placed("with_placing_executor", "work", compute=QUEUES, executor="placing")
