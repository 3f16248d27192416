"""Tasks in pods that do, try by try, what the run's conf says: ``{"script": {"1": "wait", "2": "error"}}``."""

import time
from datetime import timedelta

from airflow.sdk import dag, task
from kubernetes.client import models as k8s

BIG = k8s.V1NodeSelectorRequirement(key="size", operator="In", values=["big"])
OWN_POD = k8s.V1Pod(
    metadata=k8s.V1ObjectMeta(labels={"team": "data"}),
    spec=k8s.V1PodSpec(
        containers=[k8s.V1Container(name="base", env=[k8s.V1EnvVar(name="OWN", value="yes")])],
        tolerations=[k8s.V1Toleration(key="big", operator="Exists")],
        affinity=k8s.V1Affinity(
            node_affinity=k8s.V1NodeAffinity(
                required_during_scheduling_ignored_during_execution=k8s.V1NodeSelector(
                    node_selector_terms=[k8s.V1NodeSelectorTerm(match_expressions=[BIG])]
                )
            )
        ),
    ),
)


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
                time.sleep(300)

        work()

    return build()


on_nodes("on_nodes", retries=2)
on_nodes("own_pod", retries=1, executor_config={"pod_override": OWN_POD})
