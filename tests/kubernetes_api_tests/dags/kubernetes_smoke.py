# SPDX-License-Identifier: Apache-2.0
"""Dags that use nothing but the stock provider, to see that our Kubernetes API is one for it."""

from __future__ import annotations

import time

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import Param, dag, task
from kubernetes.client import models as k8s

SPOT = {"cloud.google.com/gke-spot": "true"}
ON_DEMAND = {"cloud.google.com/gke-provisioning": "standard"}
WORK = "echo at work; for i in $(seq $SECONDS_TO_WORK); do sleep 1; done; echo done"


def on(nodes: dict[str, str]) -> dict[str, k8s.V1Pod]:
    container = k8s.V1Container(name="base")
    return {"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[container], node_selector=nodes))}


@dag(schedule=None, params={"seconds": Param(0)})
def executor_smoke() -> None:
    @task(executor_config=on(SPOT), retries=1, retry_delay=0)
    def work(params: dict[str, int] | None = None) -> None:
        print("at work", flush=True)
        time.sleep((params or {}).get("seconds", 0))

    work()


@dag(schedule=None, params={"seconds": Param(0)})
def operator_smoke() -> None:
    for task_id, deferrable in (("sync", False), ("deferrable", True)):
        KubernetesPodOperator(
            task_id=task_id,
            name=task_id,
            namespace="airflow",
            image="busybox",
            cmds=["sh", "-c"],
            arguments=[WORK],
            env_vars={"SECONDS_TO_WORK": "{{ params.seconds }}"},
            node_selector=SPOT,
            executor_config=on(ON_DEMAND),
            retries=1,
            retry_delay=0,
            deferrable=deferrable,
            poll_interval=1,
            startup_check_interval_seconds=1,
            logging_interval=1,
        )


executor_smoke()
operator_smoke()
