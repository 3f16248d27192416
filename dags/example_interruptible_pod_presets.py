# SPDX-License-Identifier: Apache-2.0
"""### One pod operator for each way in which clusters mark spot nodes

**What.** The same pod for Karpenter, EKS managed node groups, GKE, GKE's older preemptible VMs, AKS, and nodes that are
marked as you like.

**Why.** A preset is the vendor's own labels and taints; `compute_options` adds to one, and `kubernetes` says all of it.

**When.** You run the pods of one Airflow in several clusters. With one cluster, say it once: `[interruptible]
pod_compute`.

**Prerequisites.** A cluster with nodes of each kind, which nobody has: take the task that is about yours.
"""

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import dag

from airflow_interruptible import interruptible

OWN_NODES = {
    "name": "kubernetes",
    "spot": {
        "node_selector": {"pool": "spot"},
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
    },
    "on_demand": {"match_expressions": [{"key": "pool", "operator": "NotIn", "values": ["spot"]}]},
}
COMPUTES = {
    "karpenter": "karpenter",
    "eks": "eks",
    "gke": "gke",
    "gke_preemptible": {"name": "kubernetes", "preset": "gke-preemptible"},
    "aks": "aks",
    "own_nodes": OWN_NODES,
}


@dag(
    schedule=None, default_args={"interruptible": True, "retries": 1}, doc_md=__doc__, tags=["example", "interruptible"]
)
def example_interruptible_pod_presets():
    for name, compute in COMPUTES.items():
        interruptible(KubernetesPodOperator)(
            task_id=f"on_{name}",
            image="busybox:1.36",
            cmds=["sh", "-c", "echo here I am"],
            startup_check_interval_seconds=1,
            compute=compute,
        )


example_interruptible_pod_presets()
