"""One stack for every module in this folder: the unmodified KubernetesExecutor, two schedulers, PostgreSQL.

Every node takes one pod, so that it can be taken away from under that pod alone. Spot nodes carry the taint that GKE
recommends, so nothing lands on them that does not tolerate it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.kubernetes.scenes import SCENES
from e2e.kubernetes.stage import DEMAND, NAMESPACE, SPOT, Played, Stage, Witness
from kubernetes_api import KubernetesCluster, Settings
from kubernetes_api.stack import WORKER_CONTAINER, connection, executor_section
from postgres import postgres

from airflow_interruptible.testing import SpotLab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPOT_TIMEOUT = 20
PROBE = {"key": "template", "operator": "Exists"}
POD_TEMPLATE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "replaced", "namespace": NAMESPACE, "labels": {"template": "ours"}},
    "spec": {
        "restartPolicy": "Never",
        "tolerations": [PROBE],
        "containers": [WORKER_CONTAINER],
    },
}


def config(cluster: KubernetesCluster) -> dict[str, dict[str, Any]]:
    scheduler = {
        "task_instance_heartbeat_timeout": 60,  # no death here has to be found by it, and the machine is busy
        "scheduler_health_check_threshold": 40,  # one that stalls for longer loses its pods to the other
        "orphaned_tasks_check_interval": 4,
    }
    return {
        "core": {"parallelism": 16},
        "kubernetes_executor": executor_section(cluster, NAMESPACE, POD_TEMPLATE),
        "scheduler": scheduler,
        "interruptible": {"compute": "gke", "system_retry_delay": 0.5, "spot_timeout": SPOT_TIMEOUT},
    }


@pytest.fixture(scope="package")
def cluster() -> Iterator[KubernetesCluster]:
    with KubernetesCluster(Settings(namespaces=[NAMESPACE], autoscaler="cluster-autoscaler")) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def stage(cluster: KubernetesCluster, remember: Callable[[SpotLab], SpotLab]) -> Iterator[Stage]:
    witness = Witness(cluster)
    watching = threading.Thread(target=witness.watch)
    with (
        postgres() as database,
        SpotLab(
            Path(__file__).parent / "dags",
            executor="KubernetesExecutor",
            sql_alchemy_conn=database,
            schedulers=2,
            config=config(cluster),
            env=connection(cluster),
        ) as lab,
    ):
        cluster.set_image_env(lab.stack.env)
        stage = Stage(remember(lab), cluster, witness)
        for capacity, count in ((SPOT, 12), (DEMAND, 10)):
            for _ in range(count):
                stage.add_node(capacity)
        watching.start()
        try:
            yield stage
        finally:
            witness.end()
            watching.join()


@pytest.fixture(scope="package")
def played(stage: Stage) -> dict[str, Played]:
    """All scenes, over."""
    return stage.play_all(SCENES)
