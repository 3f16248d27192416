"""### Karpenter: spot for a task of a size of its own

**What.** The pod of `fit` asks for a spot node, with the memory that its author gives it; the last user attempt asks
for anything but spot. Karpenter buys a node of the right size for either.

**Why.** What places an attempt and what the task needs are two things. The author's `pod_override` stays as it is,
whatever the attempt runs on; only the requirement for the capacity changes.

**When.** KubernetesExecutor on nodes that Karpenter makes. Say it once in airflow.cfg for all tasks (`[interruptible]
compute = karpenter`); this task says it itself.

**Prerequisites.** A NodePool that allows `spot` and one that allows `on-demand`, or one that allows both;
`airflow-interruptible[kubernetes]`. Other executors ignore the pod.
"""

from airflow.sdk import dag, task
from kubernetes.client import models as k8s

POD = k8s.V1Pod(
    # Karpenter may move pods to save money. A reclaim of spot capacity is not kept away by this.
    metadata=k8s.V1ObjectMeta(annotations={"karpenter.sh/do-not-disrupt": "true"}),
    spec=k8s.V1PodSpec(
        containers=[
            k8s.V1Container(name="base", resources=k8s.V1ResourceRequirements(requests={"cpu": "4", "memory": "16Gi"}))
        ]
    ),
)


@dag(
    schedule=None, default_args={"interruptible": True, "retries": 2}, doc_md=__doc__, tags=["example", "interruptible"]
)
def example_interruptible_kubernetes_karpenter():
    @task.interruptible(compute="karpenter", executor_config={"pod_override": POD})
    def fit():
        return "fitted"

    fit()


example_interruptible_kubernetes_karpenter()
