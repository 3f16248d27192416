"""### AKS: a whole Dag on a spot node pool, but for what must not wait

**What.** Everything in this Dag runs on a spot node pool, except `publish`, which never does.

**Why.** AKS taints the nodes of every spot pool by itself, so nothing lands there that does not tolerate it. The preset
tolerates it on spot attempts alone: `publish`, and everybody's last user attempt, cannot end up there.

**When.** KubernetesExecutor on AKS. In airflow.cfg it is `compute = aks`, and then the Dag says nothing about nodes.

**Prerequisites.** A spot node pool beside the system's; `airflow-interruptible[kubernetes]`. Other executors ignore the
pod.
"""

from airflow.sdk import dag, task


@dag(
    schedule=None,
    default_args={"interruptible": True, "retries": 2, "compute": "aks"},
    doc_md=__doc__,
    tags=["example", "interruptible"],
)
def example_interruptible_kubernetes_aks():
    @task.interruptible
    def extract():
        return [1, 2, 3]

    @task.interruptible
    def transform(rows):
        return sum(rows)

    @task.interruptible(interruptible=False)
    def publish(total):
        return f"published {total}"

    publish(transform(extract()))


example_interruptible_kubernetes_aks()
