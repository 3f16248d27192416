"""Tasks that do, try by try, what the run's conf says: ``{"script": {"1": "wait", "2": "error"}}``."""

import time
from datetime import timedelta

from airflow.sdk import dag, task

DEFAULTS = {"interruptible": True, "retry_delay": timedelta(seconds=0.2)}


def play(dag_run, ti):
    step = dag_run.conf.get("script", {}).get(str(ti.try_number), "ok")
    print(f"try {ti.try_number} plays {step}")
    if step == "error":
        raise ValueError("the author's own mistake, with spot words in it: Host EC2 terminated, preempted")
    if step in ("wait", "swallow", "swallow everything"):
        wait(step)
    return step


def wait(step):
    swallowed = {"wait": (), "swallow": Exception, "swallow everything": BaseException}[step]
    for _ in range(6000):
        try:
            time.sleep(0.1)
        except swallowed:
            if step == "swallow everything":
                return


def scripted(dag_id, **arguments):
    @dag(dag_id=dag_id, schedule=None, default_args=DEFAULTS)
    def build():
        @task.interruptible(**arguments)
        def work(dag_run=None, ti=None):
            return play(dag_run, ti)

        work()

    return build()


for retries, system_retries in ((0, 3), (1, 3), (2, 3), (2, 0)):
    scripted(f"u{retries}_s{system_retries}", retries=retries, system_retries=system_retries)

scripted("patient", retries=2, system_retries=30, system_retry_delay=10)
scripted("not_interruptible", retries=2, interruptible=False)


@dag(schedule=None, default_args=DEFAULTS)
def slow_delay():
    @task.interruptible(retries=1, retry_delay=timedelta(minutes=30))
    def work(dag_run=None, ti=None):
        return play(dag_run, ti)

    work()


slow_delay()


@dag(schedule=None, default_args={**DEFAULTS, "retries": 2})
def mapped():
    @task.interruptible
    def work(index, dag_run=None, ti=None):
        script = dag_run.conf["scripts"][index]
        step = script.get(str(ti.try_number), "ok")
        if step == "error":
            raise ValueError(step)
        if step == "wait":
            wait(step)

    work.expand(index=[0, 1, 2])


mapped()
