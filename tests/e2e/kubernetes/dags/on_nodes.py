"""Tasks in pods that do, try by try, what the run's conf says: ``{"script": {"1": "wait", "2": "error"}}``."""

import time
from datetime import timedelta

from airflow.sdk import dag, task

NO_SUCH_POOL = {
    "name": "kubernetes",
    "spot": {"node_selector": {"pool": "empty"}},
    "on_demand": {"match_expressions": [{"key": "pool", "operator": "DoesNotExist"}]},
}


def on_nodes(dag_id, **arguments):
    @dag(dag_id=dag_id, schedule=None, default_args={"retry_delay": timedelta(seconds=0.2)})
    def build():
        @task.interruptible(interruptible=True, **arguments)
        def work(dag_run=None, ti=None):
            step = dag_run.conf.get("script", {}).get(str(ti.try_number), "ok")
            print(f"try {ti.try_number} plays {step}", flush=True)
            if step == "error":
                raise ValueError("the author's own mistake")
            if step == "wait":
                time.sleep(600)

        work()

    return build()


for retries, system_retries in ((0, 3), (1, 3), (2, 3), (2, 0)):
    on_nodes(f"u{retries}_s{system_retries}", retries=retries, system_retries=system_retries)

on_nodes("no_spot_node", retries=2, compute=NO_SUCH_POOL)
