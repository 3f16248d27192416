"""### EKS managed node groups: a spot group with a taint of its own

**What.** The pods of `score` run on the nodes of a managed node group of capacity type SPOT that is tainted for one
team; the last user attempt runs on any node that is not spot.

**Why.** EKS labels the nodes of its groups by capacity, but taints only what a node group says. So the toleration is
added to the preset, and for spot alone.

**When.** KubernetesExecutor on managed node groups. In airflow.cfg it is `compute = eks` and `compute_options =
{"spot": {"tolerations": [...]}}`.

**Prerequisites.** A node group of capacity type SPOT with the taint `team=science:NoSchedule`, and one of ON_DEMAND;
`airflow-interruptible[kubernetes]`. Other executors ignore the pod.
"""

from airflow.sdk import dag, task

SCIENCE = {"key": "team", "operator": "Equal", "value": "science", "effect": "NoSchedule"}
ON_SCIENCE_SPOT = {"name": "eks", "spot": {"tolerations": [SCIENCE]}}


@dag(
    schedule=None, default_args={"interruptible": True, "retries": 2}, doc_md=__doc__, tags=["example", "interruptible"]
)
def example_interruptible_kubernetes_eks():
    @task.interruptible(compute=ON_SCIENCE_SPOT)
    def score(shard):
        return f"scored {shard}"

    score.expand(shard=["a", "b", "c"])  # each with budgets, and on nodes, of its own


example_interruptible_kubernetes_eks()
