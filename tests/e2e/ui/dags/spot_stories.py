"""Tasks whose history the tests write, one that is really taken away, and one that nobody annotated."""

import time
from pathlib import Path

from airflow.sdk import dag, task

MINUTES = 10


@dag(schedule=None, default_args={"interruptible": True, "retries": 4, "system_retries": 7})
def spot_stories():
    @task.interruptible
    def one(): ...

    @task.interruptible
    def twelve(): ...

    @task.interruptible(retries=120, system_retries=120)
    def two_hundred(): ...

    @task.interruptible
    def hostile(): ...

    @task.interruptible
    def shards(number): ...

    shards.expand(number=[0, 1, 2])
    for each in (one, twelve, two_hundred, hostile):
        each()


@dag(schedule=None, default_args={"interruptible": True, "retries": 2, "system_retries": 3})
def spot_live():
    @task.interruptible
    def reclaimed(ti=None, dag_run=None):
        print("at work")
        if ti.try_number == 1:
            time.sleep(60 * MINUTES)
        while not Path(dag_run.conf["seen"]).exists():  # the second try is there to be looked at
            time.sleep(0.1)

    @task.interruptible
    def waiting(): ...

    reclaimed() >> waiting()


@dag(schedule=None, default_args={"interruptible": True, "retries": 4, "system_retries": 7})
def spot_training():
    @task.interruptible
    def fit(): ...

    fit()


@dag(schedule=None)
def plain_tasks():
    @task
    def plain(): ...

    plain()


spot_stories()
spot_live()
spot_training()
plain_tasks()
