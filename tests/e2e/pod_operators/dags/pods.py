"""Pods that do, try by try, what the run's conf says: ``{"pool": "a", "script": {"1": "wait", "2": "error"}}``.

Every run has a pool of nodes of its own, so that runs can go on side by side: the author's own node selector.
"""

import os
from functools import cached_property

from airflow.providers.amazon.aws.operators.eks import EksPodOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.google.cloud.operators.kubernetes_engine import GKEStartPodOperator
from airflow.sdk import dag, task

from airflow_interruptible import interruptible

PLAY = """
echo at work
case "$STEP" in
error) exit 3;;
wait) for second in $(seq 600); do sleep 0.5; done;;
stubborn) trap '' TERM; for second in $(seq 600); do sleep 0.5; done;;
slow) for second in $(seq 16); do sleep 0.5; done;;
esac
echo done
"""
STEP = "{{ (dag_run.conf.get('script') or {}).get(ti.try_number | string, 'ok') }}"
COMMON = {
    "namespace": "airflow",
    "image": "busybox",
    "cmds": ["sh", "-c"],
    "arguments": [PLAY],
    "env_vars": {"STEP": STEP},
    "node_selector": {"pool": "{{ dag_run.conf['pool'] }}"},
    "startup_check_interval_seconds": 1,
    "poll_interval": 1,
    "termination_grace_period": 2,
    "labels": {"team": "data"},
}
DEFAULTS = {"interruptible": True, "retries": 2, "retry_delay": 0.2}


def pods(dag_id, operator_class=KubernetesPodOperator, **arguments):
    @dag(dag_id=dag_id, schedule=None, default_args=DEFAULTS)
    def build():
        interruptible(operator_class)(task_id="work", **{**COMMON, **arguments})

    return build()


for mode, deferrable in (("sync", False), ("deferrable", True)):
    pods(mode, deferrable=deferrable)
    pods(f"{mode}_kept", deferrable=deferrable, on_finish_action="keep_pod", system_retries=1)
pods("unkillable", termination_grace_period=30)


@dag(schedule=None, default_args=DEFAULTS)
def stock():
    """Adopted, for the Dag says so. Each index has budgets of its own."""
    shards = [
        {"STEP": "{{ 'error' if ti.try_number < 3 else 'ok' }}"},
        {"STEP": "ok"},
        {"STEP": "{{ 'wait' if ti.try_number == 1 else 'ok' }}"},
    ]
    common = {name: value for name, value in COMMON.items() if name != "env_vars"}
    KubernetesPodOperator.partial(task_id="work", **common).expand(env_vars=shards)


@dag(schedule=None, default_args=DEFAULTS)
def decorated():
    @interruptible
    @task.kubernetes(**{key: COMMON[key] for key in ("namespace", "image", "node_selector")})
    def work():
        print("at work in python")

    work()


stock()
decorated()


class OurGKEStartPodOperator(GKEStartPodOperator):
    """Finds its cluster without Google's API, which speaks gRPC; everything else is the operator's own."""

    @cached_property
    def cluster_info(self):
        return os.environ["CLUSTER_URL"], os.environ["CLUSTER_AUTHORITY"]


for mode, deferrable in (("sync", False), ("deferrable", True)):
    pods(f"eks_{mode}", EksPodOperator, cluster_name="c", deferrable=deferrable)
    gke = {"project_id": "p", "location": "l", "cluster_name": "c"}
    pods(f"gke_{mode}", OurGKEStartPodOperator, **gke, compute="gke", deferrable=deferrable)
