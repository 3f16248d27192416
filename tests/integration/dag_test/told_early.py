"""A machine that is told to stop while Airflow still resolves what the task is to work on."""

import os
import signal
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, task


@dag(schedule=None)
def told_early():
    @task
    def numbers():
        return [1, 2]

    def stop_once(number):
        mark = Path(os.environ["TOLD_EARLY"]) / f"stopped-{number}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGTERM)
        return number

    @task.interruptible(interruptible=True, retries=1, retry_delay=timedelta(minutes=10))
    def shard(number):
        return number

    shard.expand(number=numbers().map(stop_once))


the_dag = told_early()

if __name__ == "__main__":
    print("RESULT", the_dag.test().state)
