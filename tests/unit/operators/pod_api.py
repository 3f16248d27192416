# SPDX-License-Identifier: Apache-2.0
"""What the Kubernetes API shows of a :class:`.World`, and lets be done to it; any call of it may fail for a while."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from unit.operators.pod_world import Fate, Life, World
from unit.operators.test_pod import ApiException, PodGenerator, k8s, model
from urllib3.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPACITY = "karpenter.sh/capacity-type"


UNSCHEDULABLE = k8s.V1PodCondition(
    type="PodScheduled",
    status="False",
    reason="Unschedulable",
    message="0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
)


@dataclass(frozen=True)
class Fault:
    """A call of the API that fails, from a moment after the attempt began, for so long."""

    call: str
    status: int | str
    at: float
    length: float


class Api(World):
    """The part of the client that is used. ``faults`` are of this attempt, ``fate`` is that of the next pod.

    ``shown`` is what the process has been shown of each pod: ``told``, ``ended``. ``failed`` says which calls failed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: Sequence[Fault] = ()
        self.fate = Fate("success", 1.0)
        self.shown: set[tuple[str, str]] = set()
        self.failed: set[str] = set()
        self.beside: list[tuple[str, str]] = []
        self.api_client = SimpleNamespace(sanitize_for_serialization=PodGenerator.serialize_pod)

    def _call(self, call: str, timeout: float = 30.0) -> None:
        self.sleep(0.01)
        for fault in self.faults:
            if fault.call == call and fault.at <= self.now < fault.at + fault.length:
                self.failed.add(call)
                if fault.status == "hang":
                    self.sleep(timeout)
                    raise ReadTimeoutError(None, "", "it hangs")  # type: ignore[arg-type]
                raise ApiException(status=fault.status)

    def _listed(self, name: str) -> Life:
        life = self.lives.get(name)
        if life is None or life.gone:
            raise ApiException(status=404)
        return life

    def list_namespaced_pod(self, *_: Any, label_selector: str, **said: Any) -> Any:
        self._call("list", said.get("_request_timeout", 30))
        unchecked = "already_checked!=True" in label_selector
        found = [life.pod for life in self.lives.values() if not life.gone]
        return SimpleNamespace(items=[p for p in found if not (unchecked and "already_checked" in p.metadata.labels)])

    def read_namespaced_pod(self, name: str, *_: Any, **said: Any) -> Any:
        self._call("read", said.get("_request_timeout", 30))
        life = self._listed(name)
        self.shown |= {(name, "told")} if life.told else set()
        self.shown |= {(name, "ended")} if life.stopped <= self.now and not life.lost else set()
        return life.pod

    def patch_namespaced_pod(self, name: str, *_: Any, body: Any, **__: Any) -> None:
        self._call("patch")
        life = self._listed(name)
        self._show(life, labels={**life.pod.metadata.labels, **body["metadata"]["labels"]})

    def delete_namespaced_pod(self, name: str, *_: Any, **said: Any) -> None:
        self._call("delete", said.get("_request_timeout", 30))
        life = self._listed(name)
        if life.pod.spec.node_name is None or (life.finished and not life.lost):
            self._remove(life)
        elif life.pod.metadata.deletion_timestamp is None:
            life.marks.append((self.now, "ours"))
            self._tell(life, "ours")
        self._call("delete answer")

    def read_node(self, name: str, **said: Any) -> Any:
        self._call("node", said.get("_request_timeout", 30))
        if name not in self.nodes:
            raise ApiException(status=404)
        labels = {CAPACITY: name.partition("_")[0]}
        ready = k8s.V1NodeCondition(type="Ready", status="True")
        if self.nodes[name] == "silent":
            ready = k8s.V1NodeCondition(type="Ready", status="Unknown", reason="NodeStatusUnknown")
        return k8s.V1Node(metadata=k8s.V1ObjectMeta(labels=labels), status=k8s.V1NodeStatus(conditions=[ready]))

    def list_namespaced_event(self, *_: Any, **said: Any) -> Any:
        self._call("events", said.get("_request_timeout", 30))
        name = said["field_selector"].removeprefix("involvedObject.name=")
        return k8s.CoreV1EventList(items=self.lives[name].events if name in self.lives else [])

    def create_namespaced_pod(self, body: Any, *_: Any, **__: Any) -> Any:
        self._call("create")
        pod = model(body) if isinstance(body, dict) else body
        name = pod.metadata.name
        if name in self.lives and not self.lives[name].gone:
            raise ApiException(status=409, reason="AlreadyExists")
        self.beside += [(name, other.name) for other in self.lives.values() if self.at_work(other)]
        pod.metadata.uid, pod.metadata.creation_timestamp = f"u-{name}-{next(self._order)}", self.stamp
        pod.status = k8s.V1PodStatus(phase="Pending", conditions=[UNSCHEDULABLE])
        life = self.lives[name] = Life(pod, self.fate, self.now)
        if self.fate.first != "no room" or life.capacity != "spot":
            pod.status.conditions = None
            node = pod.spec.node_name = f"{life.capacity}_{name}"
            self.nodes[node] = "ready"
            self.later(0.5, lambda: self._start(life))
        self._call("create answer")
        return pod

    def _start(self, life: Life) -> None:
        if life.gone or life.stopped <= self.now:
            return
        self._show(life, status={"phase": "Running"})
        self._says(life, "Started", "Started container base")
        self._container(life, k8s.V1ContainerState(running=k8s.V1ContainerStateRunning(started_at=self.stamp)))
        fate = life.fate
        first = "success" if fate.first == "no room" else fate.first
        self.later(fate.at, lambda: self.befall(life, first))
        if fate.then is not None:
            self.later(fate.at + fate.after, lambda: self.befall(life, fate.then))
        self.later(200, lambda: self.befall(life, "success"))
