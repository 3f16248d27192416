"""Pods of KubernetesPodOperator, by whatever way to write one."""

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import dag, task
from playing import COMMON, DEFAULTS, pods

from airflow_interruptible import interruptible

for mode, deferrable in (("sync", False), ("deferrable", True)):
    pods(mode, KubernetesPodOperator, deferrable=deferrable)
    pods(f"{mode}_kept", KubernetesPodOperator, deferrable=deferrable, on_finish_action="keep_pod", system_retries=1)
pods("unkillable", KubernetesPodOperator, termination_grace_period=30)


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
