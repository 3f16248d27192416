"""Pools of nodes, and the pods in them. Every scenario has a pool of its own, so all of them go on side by side."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from e2e.contract.play import TASK, attempts
from waiting import PATIENCE

from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes_api import KubernetesCluster

    from airflow_interruptible.testing import DagRun, SpotLab

NAMESPACE = "airflow"
_TRIGGERING = Lock()  # several runs created at once keep SQLite's one writer waiting for minutes


@dataclass(frozen=True)
class Over:
    """A run that is over.

    :param attempts: what the command line says of its task.
    :param pods: the names of the pods that were seen at work, and the nodes they were on.
    """

    run: DagRun
    attempts: list[dict[str, Any]]
    pods: dict[str, str]

    def column(self, name: str) -> list[Any]:
        return [attempt[name] for attempt in self.attempts]

    @property
    def reasons(self) -> list[Any]:
        """Why each attempt ended, for a test that fails."""
        return self.column("reason")


class Stage:
    """One scenario's run of a Dag, in a pool of its own."""

    def __init__(self, lab: SpotLab, cluster: KubernetesCluster, dag_id: str, name: str) -> None:
        self.lab, self.cluster, self.dag_id = lab, cluster, dag_id
        self.preset = "gke" if dag_id.startswith("gke") else "karpenter"
        self.pool = f"{dag_id}-{name}".replace("_", "-")
        self.run: DagRun
        self.seen: dict[str, str] = {}
        self._nodes = 0

    def add_node(self, capacity: str = "spot") -> str:
        self._nodes += 1
        node = f"{self.pool}-{capacity}-{self._nodes}"
        self.cluster.add_node(node, preset=f"{self.preset}-{capacity}", labels={"pool": self.pool})
        return node

    def begin(self, script: Mapping[str, str] | None = None) -> None:
        self.lab.client.wait_for_dag(self.dag_id)  # Google's provider alone takes a while to import
        with _TRIGGERING:
            self.run = self.lab.trigger(self.dag_id, conf={"pool": self.pool, "script": dict(script or {})})

    def pods(self, **query: str) -> list[dict[str, Any]]:
        pods = self.cluster.pods(NAMESPACE, **query)
        return [pod for pod in pods if (pod["spec"].get("nodeSelector") or {}).get("pool") == self.pool]

    def pod_at_work(self, node: str | None = None, *, but: str = "") -> str:
        """Wait until a pod has said that it is at work; return its name."""

        def at_work() -> list[dict[str, Any]]:
            running = [
                pod
                for pod in self.pods(fieldSelector="status.phase=Running")
                if pod["metadata"]["name"] != but and node in (None, pod["spec"]["nodeName"])
            ]
            return [pod for pod in running if "at work" in self.cluster.logs(pod["metadata"]["name"], NAMESPACE)]

        (pod,) = wait_until(
            at_work, lambda pods: len(pods) == 1, what=f"one pod at work in pool {self.pool}", timeout=PATIENCE
        )
        name = str(pod["metadata"]["name"])
        self.seen[name] = pod["spec"]["nodeName"]
        capacity = "spot" if "-spot-" in pod["spec"]["nodeName"] else "on-demand"
        assert pod["metadata"]["labels"][LABEL] == capacity
        assert pod["metadata"]["labels"]["team"] == "data"
        return name

    def told(self, number: int) -> dict[str, Any]:
        """Wait until the history names the pod of an attempt; return what it says of the attempt."""

        def rows() -> list[dict[str, Any]]:
            found = attempts(self.lab, self.run)
            return [row for row in found if row["attempt"] == number and row["where"].get("launched_pod")]

        (row,) = wait_until(rows, bool, what=f"the pod of attempt {number} in the history", timeout=PATIENCE)
        return row

    def end(self, state: str = "success", map_index: int = -1) -> Over:
        run = self.lab.client.wait_for_run(self.run, timeout=3 * PATIENCE)
        told = attempts(self.lab, run, map_index=map_index)
        assert run.state == state, told
        return Over(run, told, self.seen)


__all__ = ["NAMESPACE", "TASK", "Over", "Stage"]
