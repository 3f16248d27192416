# SPDX-License-Identifier: Apache-2.0
"""A cluster for properties: pods, their nodes and an API, on a clock that waiting alone advances.

What is true of a pod (:class:`Life`) stands apart from what the API shows of it, so that an oracle need not ask the
product. Whatever happens is on one agenda: to pods, to calls of the API, to the process that is at work.
"""

from __future__ import annotations

import heapq
import math
import threading
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import TYPE_CHECKING, Any

from unit.operators.test_pod import LABEL, k8s

if TYPE_CHECKING:
    from collections.abc import Callable

BEGINNING = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
GRACE = 30
KUBELET = "TerminationByKubelet"
NEVER = math.inf


@dataclass(frozen=True)
class Fate:
    """What befalls a pod: ``first`` so long after it began, and ``then`` so long after that.

    :param takes: how long it works on after it was told to end; :param code: what it exits with then.
    :param listed: how long it is listed after it has ended, if somebody has deleted it.
    :param sidecar: how long a second container of it works on after the first has ended by itself.
    """

    first: str
    at: float
    then: str | None = None
    after: float = 0.0
    takes: float = 0.0
    code: int = 0
    listed: float = 0.0
    sidecar: float = 0.0


@dataclass
class Life:
    """What is true of a pod."""

    pod: Any
    fate: Fate
    created: float
    marks: list[tuple[float, str]] = field(default_factory=list)
    stopped: float = NEVER
    code: int | None = None
    finished: bool = False
    gone: bool = False
    events: list[Any] = field(default_factory=list)
    lost: bool = False

    @property
    def name(self) -> str:
        return str(self.pod.metadata.name)

    @property
    def capacity(self) -> str:
        return str(self.pod.metadata.labels[LABEL])

    @property
    def told(self) -> bool:
        return self.pod.metadata.deletion_timestamp is not None or self.disrupted

    @property
    def disrupted(self) -> bool:
        return any(one.type == "DisruptionTarget" for one in self.pod.status.conditions or ())


class World:
    """The cluster, and the one process of ours that is at work in its main thread, until it is ``killed``."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lives: dict[str, Life] = {}
        self.nodes: dict[str, str] = {}
        self.interrupts: list[tuple[float, Callable[[], None]]] = []
        self.killed: BaseException | None = None
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    # -- time

    def at(self, now: float) -> datetime:
        return BEGINNING + timedelta(seconds=now)

    @property
    def time(self) -> datetime:
        return self.at(self.now)

    @property
    def stamp(self) -> datetime:
        """The time as Kubernetes writes it."""
        return self.time.replace(microsecond=0)

    def later(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), happens))

    def sleep(self, seconds: float) -> None:
        """Let time pass, and whatever is due happen, up to an interruption of the process."""
        until = self.now + seconds
        ours = threading.current_thread() is threading.main_thread()
        if ours and self.killed is not None:
            raise self.killed
        interrupt = min(self.interrupts, default=None, key=lambda one: one[0]) if ours else None
        stop = until if interrupt is None else min(until, max(interrupt[0], self.now))
        while self._agenda and self._agenda[0][0] <= stop:
            self.now, _, happens = heapq.heappop(self._agenda)
            happens()
        self.now = stop
        if interrupt is not None and interrupt[0] <= stop:
            self.interrupts.remove(interrupt)
            interrupt[1]()
            self.sleep(until - self.now)

    # -- pods

    def life_of(self, pod: Any) -> Life:
        return self.lives[pod.metadata.name]

    def at_work(self, life: Life) -> bool:
        return life.stopped > self.now and not life.gone and life.pod.spec.node_name is not None

    def _show(self, life: Life, *, status: dict[str, Any] | None = None, **metadata: Any) -> None:
        """Change what the API shows; what was read before stays as it was."""
        pod = life.pod = copy(life.pod)
        for part, said in (("status", status or {}), ("metadata", metadata)):
            changed = copy(getattr(pod, part))
            for name, value in said.items():
                setattr(changed, name, value)
            setattr(pod, part, changed)

    def befall(self, life: Life, what: str) -> None:
        """Let something happen to a pod, if it can still happen to it."""
        if life.gone or life.lost:
            return
        if life.stopped <= self.now and what in ("exit", "oom", "success"):
            return
        if life.finished:
            if what not in ("pressure", "shutdown"):
                life.marks.append((self.now, what))
                self._remove(life)
            return
        life.marks.append((self.now, what))
        if what in ("exit", "oom", "success"):
            self._end(life, {"exit": 1, "oom": 137, "success": 0}[what], "OOMKilled" if what == "oom" else "Error")
        elif what == "abrupt":
            life.stopped, life.lost = self.now, True
            self.later(40, lambda: self.nodes.update({life.pod.spec.node_name: "silent"}))
            self.later(60, lambda: self._lose_node(life))
        else:
            self._tell(life, what)

    def _tell(self, life: Life, what: str) -> None:
        """Have a pod end, which takes its time; whoever deletes it has it removed as well."""
        reasons = {"drain": "EvictionByEvictionAPI", "preempt": "PreemptionByScheduler"}
        deleted = what in ("drain", "preempt", "person", "ours")
        said = {
            "pressure": ("Evicted", "The node was low on resource: memory. "),
            "shutdown": ("Terminated", "Pod was terminated in response to imminent node shutdown."),
        }.get(what, (None, None))
        if what not in ("person", "ours") and not life.disrupted:
            condition = k8s.V1PodCondition(
                type="DisruptionTarget",
                status="True",
                reason=reasons.get(what, KUBELET),
                message=said[1],
                last_transition_time=self.stamp,
            )
            self._show(life, status={"conditions": [condition]})
        if deleted and life.pod.metadata.deletion_timestamp is None:
            deadline = self.stamp + timedelta(seconds=GRACE)
            self._show(life, deletion_timestamp=deadline, deletion_grace_period_seconds=GRACE)
        if life.pod.status.phase == "Running":
            self._says(life, "Killing", "Stopping container base")
        self.later(life.fate.takes, lambda: self._stop(life, *said))
        if what == "shutdown":
            self.later(life.fate.takes + 15, lambda: self._lose_node(life))

    def _says(self, life: Life, reason: str, message: str) -> None:
        """Let the kubelet write an event."""
        event = k8s.CoreV1Event(
            involved_object=k8s.V1ObjectReference(kind="Pod", name=life.name),
            metadata=k8s.V1ObjectMeta(name=f"{life.name}.{reason}"),
            reason=reason,
            message=message,
            source=k8s.V1EventSource(component="kubelet", host=life.pod.spec.node_name),
            last_timestamp=self.stamp,
        )
        life.events.append(event)

    def _stop(self, life: Life, reason: str | None, message: str | None) -> None:
        """The grace of a pod is over, or it has made use of it."""
        if life.stopped > self.now:
            self._end(life, life.fate.code, reason, message)
        self._finish(life, reason, message)

    def _end(self, life: Life, code: int, reason: str | None = None, message: str | None = None) -> None:
        """Have the pod's own container end, and the pod with it unless it has another one."""
        if life.lost or life.gone:
            return
        life.stopped, life.code = self.now, code
        word = reason if reason == "OOMKilled" else "Error" if code else "Completed"
        ended = k8s.V1ContainerStateTerminated(exit_code=code, reason=word, finished_at=self.stamp)
        self._container(life, k8s.V1ContainerState(terminated=ended))
        if not life.told:
            self.later(life.fate.sidecar, lambda: self._finish(life))

    def _finish(self, life: Life, reason: str | None = None, message: str | None = None) -> None:
        """All of its containers have ended."""
        if life.lost or life.gone or life.finished:
            return
        life.finished = True
        killed = life.fate.sidecar and life.told
        phase = "Failed" if life.code or message or killed else "Succeeded"
        self._show(life, status={"phase": phase, **({"reason": reason, "message": message} if message else {})})
        if life.pod.metadata.deletion_timestamp is not None:
            self.later(life.fate.listed, lambda: self._remove(life))

    def _container(self, life: Life, state: Any) -> None:
        status = k8s.V1ContainerStatus(name="base", image="i", image_id="", ready=False, restart_count=0, state=state)
        self._show(life, status={"container_statuses": [status]})

    def _remove(self, life: Life) -> None:
        life.gone, life.stopped = True, min(life.stopped, self.now)

    def _lose_node(self, life: Life) -> None:
        life.lost = True
        self.nodes.pop(life.pod.spec.node_name, None)
        self.later(1, lambda: self._remove(life))
