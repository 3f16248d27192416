"""Scenes on a cluster whose nodes take one pod each: what happens to the pod of each try, and what came of it."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from e2e.contract.play import TASK, rest_capacities
from waiting import PATIENCE

from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.testing.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kubernetes_api import KubernetesCluster

    from airflow_interruptible.testing import DagRun, SpotLab

NAMESPACE = "airflow"
SPOT, DEMAND = "spot", "on-demand"
SPOT_TAINT = {"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NoSchedule"}
NOTICE = 4
"""Seconds that anything may take on a busy machine."""

_AT_ONCE = 8


@dataclass(frozen=True)
class Scene:
    """What happens to the tries of one run.

    :param endings: of each try that something happens to: ``A`` for an error of the author's, ``ok``, a word of
        :attr:`Stage.doings`; a try that ends by itself has none.
    """

    dag_id: str
    endings: Sequence[str] = ()

    @property
    def script(self) -> dict[str, str]:
        """What the task itself has to do."""
        words = {"A": "error", "ok": "ok"}
        return {str(number): words.get(ending, "wait") for number, ending in enumerate(self.endings, 1)}


@dataclass(frozen=True)
class Sighting:
    """A pod, as it was last seen."""

    pod: dict[str, Any]

    @property
    def capacity(self) -> str:
        """What the pod says it is on."""
        return str(self.pod["metadata"]["labels"][LABEL])

    @property
    def node(self) -> str | None:
        return self.pod["spec"].get("nodeName")

    @property
    def node_capacity(self) -> str | None:
        return self.node and (SPOT if self.node.startswith("spot-") else DEMAND)


@dataclass(frozen=True)
class Played:
    """A run that is over.

    :param attempts: what ``airflow interruptible attempts --output json`` prints.
    :param rest: the capacity of every try, as Airflow's own REST API tells it.
    :param pods: the pods of each try, oldest first.
    """

    run: DagRun
    attempts: Sequence[Mapping[str, Any]]
    rest: Sequence[str]
    pods: Mapping[int, Sequence[Sighting]]

    def column(self, name: str) -> list[Any]:
        return [attempt[name] for attempt in self.attempts]

    @property
    def reasons(self) -> list[Any]:
        """Why each attempt ended, for a test that fails."""
        return self.column("reason")


@dataclass
class Witness:
    """Remembers every pod that ever was: those of a lost node are gone before anybody asks."""

    cluster: KubernetesCluster
    seen: dict[tuple[str, int], dict[str, Sighting]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._over.wait(0.3):
            for pod in self.cluster.pods(NAMESPACE):
                metadata = pod["metadata"]
                which = (metadata["annotations"]["run_id"], int(metadata["annotations"]["try_number"]))
                self.seen.setdefault(which, {})[metadata["name"]] = Sighting(pod)

    def end(self) -> None:
        self._over.set()

    def pods_of(self, run: DagRun) -> dict[int, list[Sighting]]:
        found = {
            number: list(pods.values()) for (run_id, number), pods in list(self.seen.items()) if run_id == run.run_id
        }
        return dict(sorted(found.items()))


class Stage:
    """The cluster, the stack on it, and what can be done to a pod."""

    def __init__(self, lab: SpotLab, cluster: KubernetesCluster, witness: Witness) -> None:
        self.lab, self.cluster, self._witness = lab, cluster, witness
        self._triggering = threading.Lock()
        self.doings: Mapping[str, Callable[[dict[str, Any]], object]] = {
            "shutdown": self._reclaiming("shutdown"),
            "taint": self._reclaiming("taint"),
            "eviction": self._reclaiming("eviction"),
            "abrupt": self._reclaiming("abrupt"),
            "importing": self._reclaiming("shutdown"),
            "pending": self._reclaiming("abrupt"),
            "person": lambda pod: self.cluster.delete_pod(pod["metadata"]["name"], NAMESPACE, grace=NOTICE),
            "oom": lambda pod: self.cluster.oom(pod["metadata"]["name"], NAMESPACE),
            "pressure": lambda pod: self.cluster.evict_by_pressure(pod["metadata"]["name"], NAMESPACE),
        }
        self._numbers = itertools.count(1)

    def add_node(self, capacity: str) -> None:
        name = f"{capacity}-{next(self._numbers)}"
        if capacity == SPOT:
            self.cluster.add_node(name, preset="gke-spot", labels={"size": "big"}, taints=[SPOT_TAINT], pods=1)
        else:
            self.cluster.add_node(name, preset="gke-on-demand", labels={"size": "big"}, pods=1)

    def play_all(self, scenes: Mapping[str, Scene]) -> dict[str, Played]:
        """Play the scenes side by side, since most of each is waiting, and read all of their ends at once."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            runs = dict(zip(scenes, pool.map(self.play, scenes.values()), strict=True))
        attempts = self.attempts(runs)
        return {
            name: Played(run, attempts[name], rest_capacities(self.lab, run), self._witness.pods_of(run))
            for name, run in runs.items()
        }

    def play(self, scene: Scene) -> DagRun:
        run = self.trigger(scene.dag_id, {"script": scene.script})
        for number, ending in enumerate(scene.endings, 1):
            if ending in self.doings:
                self.doings[ending](self._pod(run, number, ending))
        return self.lab.client.wait_for_run(run, timeout=3 * PATIENCE)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> DagRun:
        with self._triggering:
            return self.lab.trigger(dag_id, conf=conf)

    def attempts(self, runs: Mapping[str, DagRun]) -> dict[str, list[dict[str, Any]]]:
        """What the command line says of each run."""
        return {name: self.lab.attempts(run, TASK) for name, run in runs.items()}

    def pods(self, run: DagRun, number: int) -> list[dict[str, Any]]:
        pods = self.cluster.pods(NAMESPACE, labelSelector=f"dag_id={run.dag_id},try_number={number}")
        return [pod for pod in pods if pod["metadata"]["annotations"]["run_id"] == run.run_id]

    def _pod(self, run: DagRun, number: int, ending: str) -> dict[str, Any]:
        """Wait until the pod of a try is where its ending begins: in the task's own code, unless it is about less."""
        ready = {"importing": _runs, "pending": _is_bound}.get(ending, self._plays)
        pods = wait_until(
            lambda: self.pods(run, number),
            lambda pods: len(pods) == 1 and ready(pods[0]),
            what=f"the pod of try {number} of {run.dag_id} to be ready for {ending}",
            timeout=PATIENCE,
            describe=lambda pods: ", ".join(f"{pod['metadata']['name']} {pod['status']}" for pod in pods),
        )
        return pods[0]

    def _plays(self, pod: dict[str, Any]) -> bool:
        return _runs(pod) and "plays" in self.cluster.logs(pod["metadata"]["name"], NAMESPACE)

    def _reclaiming(self, how: str) -> Callable[[dict[str, Any]], None]:
        def reclaim(pod: dict[str, Any]) -> None:
            node = pod["spec"]["nodeName"]
            self.add_node(SPOT if node.startswith("spot-") else DEMAND)
            self.cluster.reclaim(node, how=how, notice=1 if how == "abrupt" else NOTICE)

        return reclaim


def _runs(pod: dict[str, Any]) -> bool:
    return bool(pod["status"]["phase"] == "Running")


def _is_bound(pod: dict[str, Any]) -> bool:
    states = pod["status"].get("initContainerStatuses") or [{"state": {}}]
    return bool(pod["spec"].get("nodeName")) and "running" in states[0]["state"]
