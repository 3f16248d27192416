# SPDX-License-Identifier: Apache-2.0
"""Pods: real models of the Kubernetes client behind the real operator, and a cluster that answers as we say."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.remote import evidence_of, look_back

SPOT = CapacityType.SPOT
BEGUN = "2026-01-01T12:00:00Z"
LATER = DURING = "2026-01-01T12:30:00Z"
EARLIER = "2026-01-01T11:00:00Z"


def model(kind: str, fields: dict[str, Any]) -> Any:
    client = pytest.importorskip("kubernetes.client")
    return client.ApiClient().deserialize(SimpleNamespace(data=json.dumps(fields)), kind)


def pod(status: dict[str, Any], *, created: str = EARLIER, node: str = "node-1", name: str = "work-x1") -> Any:
    metadata = {"name": name, "namespace": "ns", "creationTimestamp": created, "labels": {"reason": "Terminated"}}
    env = [{"name": "TOKEN", "value": "s3cret"}]
    spec = {"nodeName": node, "containers": [{"name": "base", "env": env}]}
    return model("V1Pod", {"metadata": metadata, "spec": spec, "status": status})


def ended(code: int, reason: str = "Error", **status: Any) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason}}
    container = {"name": "base", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    return {"phase": "Failed", "containerStatuses": [container], **status}


def disrupted(reason: str, **status: Any) -> dict[str, Any]:
    return ended(143, conditions=[{"type": "DisruptionTarget", "status": "True", "reason": reason}], **status)


NO_NODE: dict[str, str] = {"no": "node"}


class Gone(Exception):
    status = 404


class Cluster:
    """The three calls that are made; ``asked`` says which. Node-1 is forbidden unless it has labels."""

    def __init__(
        self, pod: Any = None, labels: dict[str, str] | None = None, events: Any = (), *, taint: str | None = None
    ) -> None:
        self.pod, self.labels, self.events, self.taint = pod, labels, events, taint
        self.asked: list[str] = []

    def read_namespaced_pod(self, name: str, namespace: str, *, _request_timeout: float) -> Any:
        self.asked.append(f"pod {namespace}/{name}")
        if self.pod is None:
            raise Gone
        return self.pod

    def read_node(self, name: str, *, _request_timeout: float) -> Any:
        self.asked.append(f"node {name}")
        if self.labels is None:
            raise PermissionError("forbidden")
        if self.labels is NO_NODE:
            raise Gone
        taints = [{"key": self.taint, "effect": "NoSchedule"}] if self.taint else []
        return model("V1Node", {"metadata": {"name": name, "labels": self.labels}, "spec": {"taints": taints}})

    def list_namespaced_event(self, namespace: str, *, field_selector: str, _request_timeout: float) -> Any:
        self.asked.append(f"events {field_selector}")
        name = field_selector.removeprefix("involvedObject.name=")
        items = [
            {
                "metadata": {"name": "e"},
                "involvedObject": {"name": name},
                "source": {"host": "node-1"},
                "reason": reason,
                "message": text,
                "lastTimestamp": at,
            }
            for reason, text, at in self.events
            if text.startswith("Node ") == (name == "node-1")
        ]
        return model("CoreV1EventList", {"items": items})


@pytest.fixture
def operator() -> Any:
    pytest.importorskip("airflow.providers.cncf.kubernetes")
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    from airflow_interruptible import interruptible

    return interruptible(KubernetesPodOperator)(task_id="work", name="work", image="i")


@pytest.fixture
def failed(operator: Any) -> Any:
    """``failed(cluster, remote_pod=...)``: the operator as it is left when its pod has failed."""

    def build(cluster: Cluster, **pods: Any) -> Any:
        object.__setattr__(operator, "client", cluster)
        for name, value in pods.items():
            setattr(operator, name, value)
        return operator

    return build


GKE_SPOT = {"cloud.google.com/gke-spot": "true"}


@pytest.mark.parametrize(
    ("status", "labels", "rule"),
    [
        (ended(1), GKE_SPOT, "k8s/own-exit"),
        (ended(137, "OOMKilled"), GKE_SPOT, "k8s/oom"),
        (disrupted("EvictionByEvictionAPI"), GKE_SPOT, "k8s/evicted-by-api"),
        (disrupted("DeletionByPodGC"), GKE_SPOT, "k8s/node-gone-on-spot"),
        (disrupted("DeletionByPodGC"), {}, "k8s/node-gone"),
        (disrupted("DeletionByPodGC"), None, "k8s/node-gone"),
        (ended(137, "OOMKilled", conditions=disrupted("DeletionByPodGC")["conditions"]), GKE_SPOT, "k8s/oom"),
        ({**ended(143), "reason": "Terminated"}, {"karpenter.sh/capacity-type": "spot"}, "k8s/shutdown-on-spot"),
    ],
)
def test_the_pod_says_it_whatever_the_text_says(
    status: dict[str, Any], labels: Any, rule: str, failed: Any, rule_of: Any
) -> None:
    cluster = Cluster(labels=labels)
    assert rule_of(failed(cluster, remote_pod=pod(status))) == rule
    assert cluster.asked in ([], ["node node-1"])
    assert (cluster.asked == []) == (rule in ("k8s/own-exit", "k8s/oom"))


def test_the_golden_pods(failed: Any, golden: Any, rule_of: Any) -> None:
    shutdown = golden("k8s/kubelet-shutdown-on-spot")
    assert rule_of(failed(Cluster(labels=GKE_SPOT), remote_pod=pod(shutdown))) == "k8s/kubelet-shutdown-on-spot"

    oom = golden("k8s/near-miss-oom-on-disrupted-pod")["status"]
    (container,) = oom["containerStatuses"]
    terminated = container["state"]["terminated"]
    killed = ended(terminated["exitCode"], terminated["reason"], conditions=oom["conditions"])
    assert rule_of(failed(Cluster(), remote_pod=pod(killed))) == "k8s/oom"


def test_the_author_s_own_fields_are_not_looked_at(failed: Any, context: dict[str, Any]) -> None:
    evidence = evidence_of(failed(Cluster(), remote_pod=pod(ended(1))), ValueError(), context)
    assert evidence is not None
    assert "s3cret" not in repr(evidence)
    assert "Terminated" not in repr(evidence)
    assert evidence.names == {("pod", "work-x1"), ("node", "node-1")}


def test_after_a_deferral_the_pod_is_all_there_is(failed: Any, rule_of: Any) -> None:
    assert rule_of(failed(Cluster(), pod=pod(disrupted("DeletionByTaintManager")))) == "k8s/taint-manager"


PENDING = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient memory.",
        }
    ],
}


def test_a_pod_held_since_it_was_created_proves_nothing(failed: Any, rule_of: Any) -> None:
    """The operator reads the pod when it has created it: it may well have been unschedulable at that time."""
    cluster = Cluster(pod(ended(1)))
    assert rule_of(failed(cluster, remote_pod=pod(PENDING))) == "k8s/own-exit"
    assert cluster.asked == ["pod ns/work-x1"]

    assert rule_of(failed(Cluster(pod(PENDING)), remote_pod=pod(PENDING))) == "k8s/unschedulable"
    assert rule_of(failed(Cluster(pod({"phase": "Running"})), remote_pod=pod(PENDING))) == "ecs/host-gone"


MARKED = ("TaintManagerEviction", "Marking for deletion Pod ns/work-x1", LATER)


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        ([MARKED], "k8s/event-node"),
        ([MARKED, ("TaintManagerEviction", "Cancelling deletion of Pod ns/work-x1", "2026-01-01T12:31:00Z")], None),
        ([("Preempted", "Preempted by pod p", LATER)], "k8s/event-preempted"),
        ([("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", BEGUN)], "k8s/failed-scheduling"),
        ([("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", EARLIER)], None),
        ([MARKED, ("Scheduled", "Successfully assigned ns/work-x1 to node-1", LATER)], "k8s/event-node"),
        (
            [
                ("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", BEGUN),
                ("Scheduled", "Successfully assigned ns/work-x1 to node-1", BEGUN),
                ("Killing", "Stopping container base", LATER),
            ],
            None,
        ),
        ([], None),
    ],
)
def test_of_a_pod_that_is_gone_the_events_remain(events: Any, rule: str | None, failed: Any, rule_of: Any) -> None:
    cluster = Cluster(events=events)
    assert rule_of(failed(cluster, remote_pod=pod(PENDING))) == (rule or "ecs/host-gone")
    assert cluster.asked[-1] == "events involvedObject.name=work-x1"


def test_a_node_that_goes_explains_a_pod_that_vanished(failed: Any, rule_of: Any, raised: Any) -> None:
    from airflow.providers.cncf.kubernetes.utils.pod_manager import PodNotFoundException

    def lost() -> BaseException:
        return raised("airflow.providers.cncf.kubernetes", PodNotFoundException("Pod ns/work-x1 not found"))

    spot = ("SpotInterrupted", "Node node-1 event: A spot interruption warning was triggered for the node", DURING)
    going: dict[str, Any] = {"labels": GKE_SPOT, "taint": "karpenter.sh/disrupted"}

    assert rule_of(failed(Cluster(**going), remote_pod=pod(PENDING)), lost()) == "eks/taint-disrupted"
    assert rule_of(failed(Cluster(**going, events=[spot]), remote_pod=pod(PENDING)), lost()) == "eks/karpenter-spot"
    assert rule_of(failed(Cluster(**going), remote_pod=pod(PENDING, node="")), lost()) is None
    assert rule_of(failed(Cluster(labels=GKE_SPOT), remote_pod=pod(PENDING)), lost()) is None
    assert rule_of(failed(Cluster(labels=NO_NODE), remote_pod=pod(PENDING)), lost()) is None
    # The operator deletes its pod whatever it failed of: this one was there until then.
    assert rule_of(failed(Cluster(**going), remote_pod=pod(PENDING))) == "ecs/host-gone"
    assert rule_of(failed(Cluster(**going), remote_pod=pod(PENDING)), raised("my_dag", Gone())) is None


SPOT_TOLD = ("SpotInterrupted", "Node node-1 event: A spot interruption warning was triggered for the node")
REMOVAL = [
    ("TerminatingOnInterruption", "Node node-1 event: Interruption triggered termination"),
    ("NodeNotReady", "Node node-1 status is now: NodeNotReady"),
    ("DeletingNode", "Node node-1 does not exist in the cloud provider"),
    ("RemovingNode", "Node node-1 event: Removing Node node-1 from Controller"),
]
CONSOLIDATED = ("DisruptionTerminating", "Node node-1 event: Disrupting Node: Underutilized")
DRAINED = ("Evicted", "Evicted pod: Forceful Termination", "2026-01-01T12:31:00Z")


@pytest.mark.parametrize("pods_event", [(), (DRAINED,)])
@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ([SPOT_TOLD, *REMOVAL], "spot_interruption"),
        ([*REMOVAL, SPOT_TOLD], "spot_interruption"),
        ([CONSOLIDATED, *REMOVAL[1:]], "infrastructure"),
        ([("ScaleDown", "Node node-1 is removed by cluster autoscaler"), *REMOVAL[1:]], "infrastructure"),
    ],
)
def test_the_most_telling_event_of_the_node_decides_and_not_the_last(
    pods_event: Any, told: Any, cause: str, looked: Any
) -> None:
    events = [(*one, f"2026-01-01T12:{30 + minute}:00Z") for minute, one in enumerate(told)]
    cluster = Cluster(labels=GKE_SPOT, taint="karpenter.sh/disrupted", events=[*events, *pods_event])

    assert looked(cluster).cause.value == cause


def test_no_pod_no_look(failed: Any, rule_of: Any) -> None:
    cluster = Cluster()
    assert rule_of(failed(cluster)) == "ecs/host-gone"
    assert cluster.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "airflow.providers.amazon.aws.operators.eks.EksPodOperator",
        "airflow.providers.google.cloud.operators.kubernetes_engine.GKEStartPodOperator",
        "airflow.providers.cncf.kubernetes.decorators.kubernetes._KubernetesDecoratedOperator",
    ],
)
def test_its_kin_is_known_as_well(path: str) -> None:
    from airflow_interruptible.remote import kubernetes, operators

    module, _, name = path.rpartition(".")
    kin = getattr(pytest.importorskip(module), name)
    assert operators.describing(kin) is kubernetes.describe


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch, judged: Any) -> Any:
    """``looked(cluster, since=...)``: what looking back at the pod ``ns/work-x1`` on node-1 tells."""
    hooks = pytest.importorskip("airflow.providers.cncf.kubernetes.hooks.kubernetes")

    def look(cluster: Cluster, since: str | None = BEGUN, capacity: CapacityType | None = SPOT) -> Any:
        monkeypatch.setattr(hooks, "KubernetesHook", lambda conn_id: SimpleNamespace(core_v1_client=cluster))
        where = {"pod": "work-x1", "namespace": "ns", "node": "node-1", "host": "work-x1", "pid": 1}
        return judged(look_back(where, capacity, since=since))

    return look


def test_looking_back_at_a_pod(looked: Any) -> None:
    assert looked(Cluster(pod(disrupted("DeletionByPodGC")))).rule == "k8s/node-gone-on-spot"
    assert looked(Cluster(pod(disrupted("DeletionByPodGC"))), capacity=None).rule == "k8s/node-gone"
    assert looked(Cluster(pod(ended(137, "OOMKilled")))).cause is Cause.APPLICATION
    assert looked(Cluster(pod({"phase": "Running"}))) is None
    assert looked(Cluster(pod(disrupted("DeletionByPodGC"), node="node-2"))).cause is Cause.UNKNOWN


def test_looking_back_a_pod_of_the_same_name_is_another_one(looked: Any) -> None:
    successor = pod(disrupted("DeletionByPodGC"), created=LATER)
    assert looked(Cluster(successor)) is None
    assert looked(Cluster(successor, events=[MARKED])).rule == "k8s/event-node"
    assert looked(Cluster(events=[(*MARKED[:2], EARLIER)])) is None
    assert looked(Cluster(events=[("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", LATER)])) is None


def restarted(at: str) -> dict[str, Any]:
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": at}}
    state = {"running": {"startedAt": at}}
    container = {"name": "worker", "image": "i", "imageID": "", "ready": True, "restartCount": 1}
    return {"phase": "Running", "containerStatuses": [{**container, "state": state, "lastState": last}]}


def test_looking_back_a_worker_that_was_restarted_in_its_pod(looked: Any) -> None:
    assert looked(Cluster(pod(restarted(LATER)))).rule == "k8s/oom"
    assert looked(Cluster(pod(restarted(EARLIER)))) is None
    assert looked(Cluster(pod(restarted(LATER))), since=None) is None


@pytest.mark.parametrize("answer", [3, "x", {}, {"status": 3}, {"metadata": {}, "status": {"conditions": [None, 3]}}])
def test_rubbish_is_no_evidence(answer: Any, failed: Any, looked: Any, rule_of: Any) -> None:
    assert looked(Cluster(answer)) is None
    assert rule_of(failed(Cluster(answer), remote_pod=pod(PENDING))) == "ecs/host-gone"
    assert rule_of(failed(Cluster(), remote_pod=answer)) == "ecs/host-gone"


# -- pods that our own launcher launched

UNSCHEDULED = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
        }
    ],
}


def test_a_pod_that_found_no_spot_node_is_judged_as_it_was_before_it_was_deleted(failed: Any, rule_of: Any) -> None:
    waiting = pod(UNSCHEDULED, node="")
    assert rule_of(failed(Cluster(), seen_pod=waiting, launched_capacity=SPOT)) == "k8s/unschedulable-on-spot"
    assert rule_of(failed(Cluster(), seen_pod=waiting, launched_capacity=None)) == "ecs/host-gone"
    assert rule_of(failed(Cluster(), seen_pod=None, remote_pod=waiting, launched_capacity=SPOT)) == "ecs/host-gone"


def test_of_one_that_is_gone_the_events_tell(failed: Any, rule_of: Any) -> None:
    cluster = Cluster(
        events=[("FailedScheduling", "0/3 nodes are available: 3 node(s) had untolerated taint.", DURING)]
    )
    held = pod(PENDING, node="")
    assert rule_of(failed(cluster, remote_pod=held, launched_capacity=SPOT)) == "k8s/failed-scheduling-on-spot"
    assert rule_of(failed(cluster, remote_pod=held, launched_capacity=CapacityType.ON_DEMAND)) is None


def test_a_pod_that_was_missing_before_it_was_deleted_was_taken_with_its_node(failed: Any, rule_of: Any) -> None:
    """The history knows its name and its node, also after a deferral, when the operator holds nothing."""
    where = {"launched_pod": "work-x1", "launched_namespace": "ns", "launched_node": "node-1"}
    assert rule_of(failed(Cluster(labels=NO_NODE), launched=where, launched_capacity=SPOT)) == "ecs/host-gone"
    gone = failed(Cluster(labels=NO_NODE), launched=where, launched_capacity=SPOT, missed_pod=True)
    assert rule_of(gone) == "k8s/node-missing-on-spot"
    assert gone.client.asked == ["pod ns/work-x1", "events involvedObject.name=work-x1", "node node-1", EVENTS]
    assert rule_of(failed(Cluster(labels=NO_NODE), launched_capacity=CapacityType.ON_DEMAND)) is None


EVENTS = "events involvedObject.name=node-1"


class Silent(Cluster):
    """Its node has stopped reporting, or is as ready as can be."""

    def __init__(self, ready: str, reason: str, pod: Any = None) -> None:
        super().__init__(pod, labels={})
        self.condition = {"type": "Ready", "status": ready, "reason": reason}

    def read_node(self, name: str, *, _request_timeout: float) -> Any:
        return model("V1Node", {"metadata": {"name": name}, "status": {"conditions": [self.condition]}})


def test_a_pod_that_seemed_to_run_on_a_silent_node_did_not(failed: Any, rule_of: Any) -> None:
    running = pod({"phase": "Running"})
    assert rule_of(failed(Silent("Unknown", "NodeStatusUnknown"), seen_pod=running)) == "k8s/node-unknown"
    assert rule_of(failed(Silent("Unknown", "NodeStatusUnknown", running), seen_pod=running)) == "k8s/node-unknown"
    assert rule_of(failed(Silent("True", "KubeletReady"), seen_pod=running)) == "ecs/host-gone"
    gone = {"seen_pod": running, "launched_capacity": SPOT}
    assert rule_of(failed(Cluster(running, labels=NO_NODE), **gone)) == "k8s/node-missing-on-spot"
    own = pod(ended(1))
    assert rule_of(failed(Silent("Unknown", "NodeStatusUnknown"), seen_pod=own)) == "k8s/own-exit"


@pytest.fixture
def outlived(operator: Any, monkeypatch: pytest.MonkeyPatch, judged: Any) -> Any:
    """``outlived(cluster)``: what the pod that a vanished attempt had launched tells the next one."""
    hooks = pytest.importorskip("airflow.providers.cncf.kubernetes.operators.pod")

    def look(cluster: Cluster, capacity: CapacityType | None = SPOT) -> Any:
        monkeypatch.setattr(hooks, "KubernetesHook", lambda **_: SimpleNamespace(core_v1_client=cluster))
        where = {"launched_pod": "work-x1", "launched_namespace": "ns", "host": "vm", "pid": 1}
        return judged(look_back(where, capacity, since=BEGUN, task=operator))

    return look


def test_a_pod_that_outlived_the_airflow_worker_tells_that_only_the_worker_was_lost(outlived: Any) -> None:
    for phase in ("Pending", "Running", "Succeeded"):
        assert outlived(Cluster(pod({"phase": phase}))).rule == "airflow/work-outlived-worker"
    assert outlived(Cluster(pod(ended(137, "OOMKilled")))).cause is Cause.APPLICATION
    assert outlived(Cluster(pod(disrupted("DeletionByPodGC")))).rule == "k8s/node-gone-on-spot"
    assert outlived(Cluster(labels=NO_NODE, events=[("Pulled", "Pod", DURING)])).rule == "k8s/node-missing-on-spot"
    assert outlived(Cluster(labels={}, events=[("Pulled", "Pod", DURING)])) is None
    assert outlived(Cluster()) is None


def test_looking_at_it_leaves_the_operator_as_it_is(outlived: Any, operator: Any) -> None:
    """An EksPodOperator has no way to its cluster before ``execute``, and would keep a wrong one."""
    outlived(Cluster(pod({"phase": "Running"})))
    assert not {"client", "hook"} & vars(operator).keys()
