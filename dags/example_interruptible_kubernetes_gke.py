"""### GKE Spot: fifteen seconds to put things away

**What.** `crunch` runs on Spot VMs, is told when its node goes, and picks up where the last attempt stopped.

**Why.** GKE gives pods 15 seconds of the 30 that a Spot VM gets. That is enough to note a number, so the next attempt
does not start from nothing.

**When.** KubernetesExecutor on GKE, Standard or Autopilot. In airflow.cfg it is `compute = gke`; for the older
preemptible VMs it is `compute = kubernetes` with `compute_options = {"preset": "gke-preemptible"}`.

**Prerequisites.** A node pool of Spot VMs and one without, or Autopilot; `airflow-interruptible[kubernetes]`. Other
executors ignore the pod.
"""

from airflow.sdk import dag, task
from kubernetes.client import models as k8s

from airflow_interruptible import checkpoint

POD = k8s.V1Pod(
    spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base")], termination_grace_period_seconds=15),
)


@dag(
    schedule=None, default_args={"interruptible": True, "retries": 2}, doc_md=__doc__, tags=["example", "interruptible"]
)
def example_interruptible_kubernetes_gke():
    @task.interruptible(compute="gke", executor_config={"pod_override": POD})
    def crunch():
        progress = checkpoint()
        total, first = progress.load(default=[0, 0])
        for number in range(first, 10):
            total += number
            progress.save([total, number + 1])
        return total

    crunch()


example_interruptible_kubernetes_gke()
