# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to pods between attempts, and whichever call the API refuses: no two pods of one task are at work.

The real operator on an API that keeps time: a pod that is told to end is at work for as long as it takes, within its
grace; a request may fail once, or for ever. A 404 is left out: it is an answer, and would be a lie.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from unit.operators.test_pod import (  # noqa: F401 - fixtures
    LABEL,
    ON_DEMAND,
    ApiException,
    PodGenerator,
    Worker,
    _outside_the_task_runner,
    k8s,
    model,
)
from urllib3.exceptions import ReadTimeoutError

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.operators.earlier_pods import EarlierPodError
from airflow_interruptible.worker.attempt import RetriesExhausted

EXAMPLES = int(os.environ.get("INTERLEAVINGS", "12"))
"""How many are tried; ``INTERLEAVINGS=5000`` for a night."""

GRACE = 30.0
FATES = ("lives", "deleted", "disrupted", "evicted", "failed", "told and exits 0", "node gone", "checked and lives")
FAULTS = st.lists(
    st.tuples(st.sampled_from(["list", "read", "patch", "delete", "create", "node"]), st.sampled_from([
        403, 409, 410, 429, 500, "hang"]), st.sampled_from([1, 2, 99])), max_size=3
)  # fmt: skip
ATTEMPTS = st.lists(
    st.tuples(
        st.sampled_from(FATES),
        st.floats(0.0, GRACE),  # how long it takes to end, once it is told
        st.floats(0.0, 60.0),  # how long after that the next attempt begins
        st.sampled_from([Cause.SPOT_INTERRUPTION, Cause.APPLICATION, Cause.INFRASTRUCTURE, Cause.NO_CAPACITY]),
        FAULTS,
    ),
    min_size=2,
    max_size=5,
)


class Cluster:
    """Pods, and a clock that waiting alone advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pods: dict[str, Any] = {}
        self.ends: dict[str, float] = {}
        self.takes: dict[str, float] = {}
        self.dead_nodes: set[str] = set()
        self.faults: dict[str, list[Any]] = {}
        self.beside: list[tuple[str, str]] = []
        self.api_client = SimpleNamespace(sanitize_for_serialization=PodGenerator.serialize_pod)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def at_work(self, name: str) -> bool:
        pod = self.pods[name]
        over = pod.status.phase in ("Failed", "Succeeded") or pod.spec.node_name in self.dead_nodes
        return not over and self.now < self.ends.get(name, float("inf"))

    def tell(self, name: str) -> None:
        """Have a pod end: it takes its time, and is gone then."""
        metadata = self.pods[name].metadata
        if metadata.deletion_timestamp is None:
            metadata.deletion_timestamp, metadata.deletion_grace_period_seconds = "t", GRACE
            self.ends.setdefault(name, self.now + self.takes.get(name, GRACE))

    def _answers(self, call: str) -> None:
        for name in [name for name, at in self.ends.items() if self.now >= at]:
            self.pods.pop(name, None)
        left = self.faults.get(call)
        if left and left[1]:
            left[1] -= 1
            if left[0] == "hang":
                raise ReadTimeoutError(None, "", "it hangs")  # type: ignore[arg-type]
            raise ApiException(status=left[0])

    def list_namespaced_pod(self, *_: Any, **__: Any) -> Any:
        self._answers("list")
        return SimpleNamespace(items=list(self.pods.values()))

    def read_namespaced_pod(self, name: str, *_: Any, **__: Any) -> Any:
        self._answers("read")
        if name not in self.pods:
            raise ApiException(status=404)
        return self.pods[name]

    def patch_namespaced_pod(self, name: str, *_: Any, body: Any, **__: Any) -> None:
        self._answers("patch")
        self.pods[name].metadata.labels.update(body["metadata"]["labels"])

    def delete_namespaced_pod(self, name: str, *_: Any, **__: Any) -> None:
        self._answers("delete")
        if name not in self.pods:
            raise ApiException(status=404)
        self.tell(name)

    def read_node(self, name: str, **_: Any) -> Any:
        self._answers("node")
        if name in self.dead_nodes:
            raise ApiException(status=404)
        return k8s.V1Node(metadata=k8s.V1ObjectMeta(labels={}))

    def create_namespaced_pod(self, body: Any, *_: Any, **__: Any) -> Any:
        self._answers("create")
        made = model(body) if isinstance(body, dict) else body
        name = made.metadata.name
        self.beside += [(name, other) for other in self.pods if self.at_work(other)]
        made.metadata.uid, made.metadata.creation_timestamp = f"u-{name}", f"{self.now:09.2f}"
        made.status, made.spec.node_name = k8s.V1PodStatus(phase="Running"), f"node-{name}"
        self.pods[name] = made
        return made

    def befall(self, name: str, fate: str, takes: float) -> None:
        """Let something happen to a pod while nobody looks."""
        pod = self.pods[name]
        self.takes[name] = takes
        if fate in ("deleted", "evicted"):
            self.tell(name)
        if fate in ("disrupted", "evicted", "told and exits 0"):
            pod.status.conditions = [k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="r")]
        if fate == "failed":
            pod.status.phase = "Failed"
        if fate == "told and exits 0":
            pod.status.phase = "Succeeded"
        if fate == "node gone":
            self.dead_nodes.add(pod.spec.node_name)
        if fate == "checked and lives":
            pod.metadata.labels["already_checked"] = "True"


def begin(worker: Worker) -> Any:
    """Begin inside ``execute``, where the capacity of the attempt is known; None if it refuses to."""
    request = worker.task.build_pod_request_obj(worker.context)
    try:
        return worker.task.get_or_create_pod(request, worker.context)
    except (ApiException, ReadTimeoutError, EarlierPodError):
        return None


def attempt(worker: Worker) -> Any:
    """Make an attempt, as far as to the pod that it has."""
    with mock.patch.object(worker.task.made_from, "execute", side_effect=lambda *_: begin(worker)):
        return worker.task.execute(worker.context)


@given(attempts=ATTEMPTS, durable=st.booleans(), user_retries=st.integers(0, 3))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(Phase.reuse, Phase.generate, Phase.shrink),  # to explain a failure costs more than all the rest
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_two_pods_of_one_task_are_at_work(bench: Any, attempts: Any, durable: bool, user_retries: int) -> None:
    cluster, causes = Cluster(), []
    clock = {"latest": float("inf"), "clock": lambda: cluster.now, "sleep": cluster.sleep}
    with (
        mock.patch("airflow_interruptible.worker.pod_endings.await_end.__kwdefaults__", clock),
        mock.patch("airflow_interruptible.remote.kubernetes_client.time.sleep", cluster.sleep),
        mock.patch("tenacity.nap.time.sleep", cluster.sleep),
    ):
        for fate, takes, pause, cause, faults in attempts:
            worker = Worker(bench, cluster, durable=durable, retries=user_retries)  # type: ignore[arg-type]
            cluster.faults = {call: [status, times] for call, status, times in faults}
            worker.after(*causes)
            try:
                pod = attempt(worker)
            except RetriesExhausted:
                return
            assert not cluster.beside, "a pod was launched beside one that was at work"
            budget = worker.task.interruptible_annotation.budget
            history = worker.bench.ledger.history(budget, True, before=len(causes) + 1)
            if pod is not None:
                name = pod.metadata.name
                assert cluster.pods[name].metadata.deletion_timestamp is None, "no attach to what ends"
                if history.next_is_last:
                    assert cluster.pods[name].metadata.labels[LABEL] == ON_DEMAND.value
                if name in cluster.pods:
                    cluster.faults = {}
                    cluster.befall(name, fate, takes)
            cluster.sleep(pause)
            causes.append(cause)
