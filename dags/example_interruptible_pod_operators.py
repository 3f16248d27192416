# SPDX-License-Identifier: Apache-2.0
"""### Pods of pod operators on spot nodes, and off them

**What.** `extract` runs once for each shard, `fit` waits for its pod in the triggerer, `report` is a Python function in
a pod. Every pod asks for spot nodes, and the pod of the last user attempt for anything but spot nodes. A pod that a
reclaim takes is forgiven, one that finds no spot node is launched again on demand, and each shard has budgets of its
own.

**Why.** It is the pod that costs money; the Airflow task only waits for it. So on a pod operator
`compute="karpenter"` says where the *pod* runs, and the Airflow task itself follows airflow.cfg.

**When.** KubernetesPodOperator, EksPodOperator, GKEStartPodOperator and `@task.kubernetes`, sync or deferrable, under
any executor. Say it once for all of them with `[interruptible] pod_compute = karpenter`; here the Dag does.

**Prerequisites.** A cluster with Karpenter nodes of both kinds, and the connection `kubernetes_default` or a
kubeconfig.
"""

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import dag, task

from airflow_interruptible import interruptible

SHELL = {"image": "busybox:1.36", "cmds": ["sh", "-c"], "startup_check_interval_seconds": 1}


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2, "compute": "karpenter"},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_pod_operators():
    extract = (
        interruptible(KubernetesPodOperator)
        .partial(task_id="extract", **SHELL)
        .expand(arguments=[["echo shard one"], ["echo shard two"]])
    )
    fit = interruptible(KubernetesPodOperator)(
        task_id="fit", arguments=["echo fitted"], deferrable=True, poll_interval=1, **SHELL
    )

    @interruptible
    @task.kubernetes(image="python:3.12-slim", startup_check_interval_seconds=1)
    def report():
        print("the model is fitted")

    extract >> fit >> report()


example_interruptible_pod_operators()
