"""Run as a script: a small Dag and the example Dag, interrupted after certain saves; prints what came of it."""

import json
import runpy
import signal
import sys
from datetime import timedelta
from unittest.mock import patch

from airflow.sdk import dag, task

from airflow_interruptible import checkpoint
from airflow_interruptible.checkpoints import Checkpoint

FOUND = []


@dag(schedule=None, default_args={"interruptible": True, "retries": 2, "retry_delay": timedelta(0)})
def resumed():
    @task.interruptible
    def shard(index, ti=None):
        """Interrupted by its first save, wrong after its second."""
        progress = checkpoint()
        found = progress.load(default=0)
        FOUND.append(("shard", index, ti.try_number, found))
        progress.save(found + 10 + index)
        if ti.try_number == 2:
            raise ValueError("the author's own mistake")

    @task(retries=1)
    def plain(_, ti=None):
        """A task that this package has nothing to do with."""
        FOUND.append(("plain", -1, ti.try_number, checkpoint().load()))
        checkpoint().save("here")
        if ti.try_number == 1:
            raise ValueError("the author's own mistake")

    plain(shard.expand(index=[0, 1]))


def interrupted_after(saves):
    """Let the machine be reclaimed right after the saves of these (attempt, how many epochs or None)."""
    switch = Checkpoint._switch

    def save(self, saved):
        switch(self, saved)
        done = len(saved.value) if isinstance(saved.value, list) else None
        if (self.attempt, done) in saves and self._storage.task_id != "plain":
            signal.raise_signal(signal.SIGTERM)

    return patch.object(Checkpoint, "_switch", save)


def left_in_the_store():
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return sorted({row.key for row in session.scalars(select(TaskStateStoreModel))})


def run(what, saves=(), **arguments):
    with interrupted_after(saves):
        done = what.test(**arguments)
    results = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in done.get_task_instances()}
    return {"state": str(done.state), "results": results}


example = resumed()

if __name__ == "__main__":
    namespace = runpy.run_path(sys.argv[1])
    training = namespace["example_interruptible_checkpoint"]()
    conf = {"epochs": 6, "seconds": 0}
    answer = {
        "small": run(example, [(1, None)]),
        "interrupted": run(training, [(1, 2), (2, 5)], run_conf=conf),
        "quiet": run(training, run_conf=conf),
        "found": sorted(FOUND),
        "left": left_in_the_store(),
    }
    print("RESULT", json.dumps(answer))
