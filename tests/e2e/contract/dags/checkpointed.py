"""A task that works epoch by epoch, and waits for the end of its machine where the run's conf says so.

``{"wait_after": {"1": 2}}``: attempt 1 waits after the second epoch, saved and all.
"""

import time
from datetime import timedelta

from airflow.sdk import dag, task

from airflow_interruptible import checkpoint

EPOCHS = 7


@dag(schedule=None, default_args={"interruptible": True, "retries": 2, "retry_delay": timedelta(seconds=0.2)})
def checkpointed():
    @task.interruptible
    def work(dag_run=None, ti=None):
        progress = checkpoint()
        trained_by = progress.load(default=[])
        with progress.load_files() as folder:
            model = b"" if folder is None else (folder / "model").read_bytes()
        assert len(model) == len(trained_by) * 1_000_000
        print(f"try {ti.try_number} plays on after {trained_by}")
        wait_after = dag_run.conf.get("wait_after", {}).get(str(ti.try_number))
        while len(trained_by) < EPOCHS:
            if len(trained_by) == wait_after:
                print("waits")
                time.sleep(600)
            trained_by.append(ti.try_number)
            model += b"x" * 1_000_000
            with progress.save_files(trained_by) as folder:
                (folder / "model").write_bytes(model)
        print(f"trained by {trained_by}")

    work()


checkpointed()
