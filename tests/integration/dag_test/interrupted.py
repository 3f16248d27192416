"""Dags for ``dag.test()`` and ``airflow dags test``; run as a script, it interrupts and prints what happened."""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task

TRIES: list[tuple[str, int, int]] = []


@dag(schedule=None, default_args={"interruptible": True, "retries": 2, "retry_delay": timedelta(0)})
def interrupted():
    @task.interruptible
    def fit(ti=None):
        TRIES.append((ti.task_id, ti.map_index, ti.try_number))
        if ti.try_number == 2:
            raise ValueError("the author's own mistake")

    @task.interruptible
    def shard(index, ti=None):
        TRIES.append((ti.task_id, ti.map_index, ti.try_number))

    shard.expand(index=fit_done(fit()))
    BashOperator(task_id="stock", bash_command="true")


@task
def fit_done(_):
    return [0, 1]


example = interrupted()

if __name__ == "__main__":
    from airflow_interruptible.testing import interrupting

    with interrupting("fit", attempts=[1, 3]), interrupting("shard", attempts=[1], map_index=1):
        run = example.test()
    print("RESULT", run.state, sorted(TRIES))

    from airflow_interruptible.cli.attempts import story
    from airflow_interruptible.summary import summary

    for task_id in ("fit", "stock"):
        print("TOLD", task_id, summary(story((run.dag_id, task_id, run.run_id, -1))))
