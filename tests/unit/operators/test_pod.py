# SPDX-License-Identifier: Apache-2.0
"""The interruptible form of a pod operator: the real operator, models of the client, and an API of a few lines."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_interruptible import interruptible
from airflow_interruptible.compute.kubernetes import LABEL
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.exceptions import ConfigurationError, Interrupted
from airflow_interruptible.ledger import Ledger, Record
from airflow_interruptible.marker import Marker
from airflow_interruptible.operators.pod import PodLauncher
from airflow_interruptible.policies import adoption

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

k8s = pytest.importorskip("kubernetes.client.models")
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator  # noqa: E402
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator  # noqa: E402
from kubernetes.client import ApiException  # noqa: E402

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
KEY = "karpenter.sh/capacity-type"
IN_SPOT = {"key": KEY, "operator": "In", "values": ["spot"]}
NOT_SPOT = {"key": KEY, "operator": "NotIn", "values": ["spot"]}
BIG = {"key": "size", "operator": "In", "values": ["big"]}
GPU = {"key": "gpu", "operator": "Exists"}


def affinity(*requirements: dict[str, Any]) -> dict[str, Any]:
    terms = [{"matchExpressions": list(requirements)}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


AUTHORS_POD = {
    "metadata": {"labels": {"template": "yes"}},
    "spec": {"containers": [{"name": "base", "image": "own"}], "affinity": affinity(BIG), "tolerations": [GPU]},
}


def model(pod: dict[str, Any]) -> Any:
    return PodGenerator.deserialize_model_dict(pod)


class Api:
    """The part of the client that is used, with the pods that it knows; ``done`` is what was changed."""

    def __init__(self, *pods: Any) -> None:
        self.pods = {pod.metadata.name: pod for pod in pods}
        self.done: list[tuple[str, str]] = []
        self.api_client = SimpleNamespace(sanitize_for_serialization=PodGenerator.serialize_pod)

    def list_namespaced_pod(self, namespace: str, *, label_selector: str, **_: Any) -> Any:
        unchecked = "already_checked!=True" in label_selector
        found = [pod for pod in self.pods.values() if not (unchecked and "already_checked" in pod.metadata.labels)]
        return SimpleNamespace(items=found)

    def read_namespaced_pod(self, name: str, namespace: str, **_: Any) -> Any:
        """A pod that is being deleted is gone the next time."""
        if name not in self.pods:
            raise ApiException(status=404)
        pod = self.pods[name]
        if pod.metadata.deletion_timestamp is not None:
            self.done.append(("gone", name))
            del self.pods[name]
        return pod

    def patch_namespaced_pod(self, name: str, namespace: str, body: dict[str, Any]) -> None:
        self.done.append(("patched", name))
        self.pods[name].metadata.labels.update(body["metadata"]["labels"])

    def create_namespaced_pod(self, body: Any, namespace: str, **_: Any) -> Any:
        if body["metadata"]["name"] in self.pods:
            raise ApiException(status=409, reason="AlreadyExists")
        self.done.append(("created", body["metadata"]["name"]))
        made = model(body)
        self.pods[made.metadata.name] = made
        return made

    def delete_namespaced_pod(self, name: str, namespace: str, **_: Any) -> None:
        self.done.append(("deleted", name))
        if name in self.pods:
            self.pods[name].metadata.deletion_timestamp = "now"

    def read_node(self, name: str, **_: Any) -> None:
        """Every node exists."""


class Worker:
    """A worker that runs attempts of one pod operator, without executing it."""

    def __init__(self, bench: Any, api: Api, **arguments: Any) -> None:
        arguments = {"interruptible": True, "retries": 2, "compute": "karpenter", "image": "i", **arguments}
        with DAG("dag", schedule=None) as self.dag:
            self.task = interruptible(KubernetesPodOperator)(
                task_id="work", name="work", namespace="ns", **{"system_retries": 3, **arguments}
            )
        hook = SimpleNamespace(is_in_cluster=False, core_v1_client=api, get_pod=api.read_namespaced_pod)
        vars(self.task).update(hook=hook, client=api)
        self.bench = bench()
        self.bench.task = self.bench.ti.task = self.task
        self.bench.ti.max_tries = self.task.retries
        self.bench.ti.xcom_push = lambda **_: None

    @property
    def context(self) -> Any:
        return {**self.bench.context, "run_id": "run", "dag": self.dag}

    def after(self, *causes: Cause) -> Worker:
        """Let attempts have ended so."""
        records = {
            number: Record(cause=cause, started="2026-01-01T12:00:00+00:00") for number, cause in enumerate(causes, 1)
        }
        self.bench.store.set("interruptible", Ledger(self.task.retries, records=records).to_json())
        self.bench.ti.try_number = len(causes) + 1
        return self

    def begun(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Enter ``execute`` as far as to what the operator itself does, and return the pod it would create."""
        monkeypatch.setattr(KubernetesPodOperator, "execute", lambda self, context: self.build_pod_request_obj(context))
        return self.task.execute(self.context)

    def built(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        pod: dict[str, Any] = PodGenerator.serialize_pod(self.begun(monkeypatch))
        return pod

    def launched(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        request = self.begun(monkeypatch)
        return request, self.task.get_or_create_pod(request, self.context)


@pytest.fixture
def worker(bench: Any) -> Callable[..., Worker]:
    return lambda *pods, **arguments: Worker(bench, Api(*pods), **arguments)


@pytest.fixture(autouse=True)
def _outside_the_task_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``execute`` be called without Airflow's task runner, as Airflow's own tests do."""
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)


def required(pod: dict[str, Any]) -> list[Any]:
    node = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return [term["matchExpressions"] for term in node["nodeSelectorTerms"]]


# -- where the pod goes


def test_a_first_attempt_asks_for_spot_and_the_last_one_does_not(worker: Any, monkeypatch: Any) -> None:
    first = worker().built(monkeypatch)
    assert required(first) == [[IN_SPOT]]
    assert (first["metadata"]["labels"][LABEL], first["metadata"]["labels"]["task_id"]) == ("spot", "work")
    last = worker().after(Cause.APPLICATION, Cause.APPLICATION).built(monkeypatch)
    assert required(last) == [[NOT_SPOT]]
    assert last["metadata"]["labels"][LABEL] == "on-demand"


@pytest.mark.parametrize("form", ["arguments", "full_pod_spec", "pod_template_dict", "pod_template_file"])
def test_whatever_form_the_pod_is_written_in(worker: Any, monkeypatch: Any, tmp_path: Path, form: str) -> None:
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(AUTHORS_POD))
    arguments: dict[str, Any] = {
        "arguments": {"affinity": AUTHORS_POD["spec"]["affinity"], "tolerations": [k8s.V1Toleration(**GPU)]},  # type: ignore[index]
        "full_pod_spec": {"full_pod_spec": model(AUTHORS_POD)},
        "pod_template_dict": {"pod_template_dict": AUTHORS_POD},
        "pod_template_file": {"pod_template_file": str(file)},
    }[form]
    pod = worker(compute="gke", labels={"team": "data"}, **arguments).built(monkeypatch)
    spot = {"key": "cloud.google.com/gke-spot", "operator": "In", "values": ["true"]}
    assert required(pod) == [[BIG, spot]]
    assert [toleration["key"] for toleration in pod["spec"]["tolerations"]] == ["cloud.google.com/gke-spot", "gpu"]
    assert pod["metadata"]["labels"]["team"] == "data"
    assert ("template" in pod["metadata"]["labels"]) == (form != "arguments")


def test_nothing_else_of_the_pod_is_touched(worker: Any, monkeypatch: Any) -> None:
    arguments = {"cmds": ["sh"], "env_vars": {"A": "b"}, "random_name_suffix": False, "node_selector": {"zone": "a"}}
    placed = worker(**arguments).built(monkeypatch)
    plain = worker(**arguments, compute="none").built(monkeypatch)
    del placed["spec"]["affinity"], plain["spec"]["affinity"]
    for label in (LABEL, KEY):
        del placed["metadata"]["labels"][label]
    assert placed == plain


def test_the_labels_by_which_the_operator_finds_its_pods_are_left_alone(worker: Any, monkeypatch: Any) -> None:
    worker = worker(labels={"team": "data"})
    worker.begun(monkeypatch)
    assert worker.task.labels == {"team": "data"}


def test_building_twice_adds_nothing(worker: Any, monkeypatch: Any) -> None:
    worker = worker(full_pod_spec=model(AUTHORS_POD))
    first = worker.begun(monkeypatch)
    again = PodGenerator.serialize_pod(worker.task.build_pod_request_obj(worker.context))
    assert again["spec"] == PodGenerator.serialize_pod(first)["spec"]


def test_a_pod_that_turns_out_to_be_on_one_capacity_only_is_believed(worker: Any, monkeypatch: Any) -> None:
    """A template string in its node selector said so at run time."""
    worker = worker(node_selector={KEY: "on-demand"})
    pod, _ = worker.launched(monkeypatch)
    assert pod.spec.node_selector == {KEY: "on-demand"}
    assert worker.bench.ledger.records[1].capacity is ON_DEMAND


@pytest.mark.parametrize("compute", [None, "none"])
def test_without_a_compute_for_pods_the_pod_goes_where_it_always_went(
    worker: Any, monkeypatch: Any, compute: str | None
) -> None:
    pod = worker(compute=compute).built(monkeypatch)
    assert LABEL not in pod["metadata"]["labels"]
    assert not pod["spec"].get("affinity")


def test_what_breaks_in_ours_leaves_the_pod_alone(worker: Any, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr("airflow_interruptible.compute.kubernetes.patched", lambda *_: 1 / 0)
    pod = worker().built(monkeypatch)
    assert LABEL not in pod["metadata"]["labels"]
    assert "goes where its author sends it" in caplog.text


def test_a_history_that_cannot_be_read_places_nothing(worker: Any, monkeypatch: Any) -> None:
    worker = worker()
    worker.bench.store.down = frozenset({"get"})
    assert LABEL not in worker.built(monkeypatch)["metadata"]["labels"]


# -- how long it waits


@pytest.mark.parametrize(
    ("causes", "arguments", "seconds"),
    [
        ([], {}, 90),
        ([], {"schedule_timeout_seconds": 600}, 90),
        ([], {"schedule_timeout_seconds": 30}, 30),
        ([Cause.NO_CAPACITY], {"schedule_timeout_seconds": 600}, 600),
    ],
)
def test_a_spot_node_is_waited_for_no_longer_than_spot_timeout(
    worker: Any, monkeypatch: Any, configure: Any, *, causes: list[Cause], arguments: Any, seconds: int
) -> None:
    configure(spot_timeout="90")
    worker = worker(startup_timeout_seconds=400, **arguments).after(*causes)
    worker.begun(monkeypatch)
    assert worker.task.schedule_timeout_seconds == seconds
    assert worker.task.startup_timeout_seconds == 400, "what comes after scheduling, such as pulling the image"


# -- pods of earlier attempts: what is done about them is in test_earlier_pods.py


def earlier(phase: str, on: CapacityType = SPOT, name: str = "work-old", **metadata: Any) -> Any:
    labels = {LABEL: on.value, "try_number": "1"}
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name=name, namespace="ns", uid="u", labels=labels, **metadata),
        spec=k8s.V1PodSpec(containers=[], node_name="n1" if phase == "Running" else None),
        status=k8s.V1PodStatus(phase=phase),
    )


LAST = (Cause.APPLICATION, Cause.APPLICATION)
"""After these the next attempt is due on demand."""


def test_a_store_that_is_down_costs_the_record_and_not_the_pod(worker: Any, monkeypatch: Any, caplog: Any) -> None:
    worker = worker(durable=False)
    request = worker.begun(monkeypatch)
    worker.bench.store.down = frozenset({"set"})
    assert worker.task.get_or_create_pod(request, worker.context) is request
    assert "cannot be written into the history" in caplog.text


# -- the end of a pod


@pytest.mark.parametrize(
    ("where", "method"),
    [
        (Api, "create_namespaced_pod"),
        (KubernetesPodOperator, "_persist_pod_identity_to_task_state_store"),
        (PodLauncher, "_write_down"),
    ],
)
def test_a_signal_deletes_a_pod_that_is_being_launched(worker: Any, monkeypatch: Any, where: Any, method: str) -> None:
    """Airflow's operator knows its pod only once everybody has been told of it, which may take seconds."""
    worker = worker()
    request = worker.begun(monkeypatch)
    does = getattr(where, method)

    def interrupted(*args: Any, **kwargs: Any) -> None:
        worker.task.on_kill()
        does(*args, **kwargs)
        raise Interrupted("SIGTERM")

    monkeypatch.setattr(where, method, interrupted)
    with pytest.raises(Interrupted):
        worker.task.get_or_create_pod(request, worker.context)
    name = request.metadata.name
    assert ("created", name) in worker.task.client.done
    assert worker.task.client.done[-1] == ("deleted", name)


@pytest.mark.parametrize("action", ["delete_pod", "keep_pod"])
def test_an_attempt_that_is_told_to_stop_waits_for_the_end_of_its_pod(
    worker: Any, monkeypatch: Any, action: str
) -> None:
    worker = worker(on_kill_action=action)
    request, _ = worker.launched(monkeypatch)
    worker.task.on_kill()
    worker.task.interruptible_wait_until_stopped(time.monotonic() + 60)
    left = [what for what in worker.task.client.done if what[0] != "patched"]
    name = request.metadata.name
    assert left == [("created", name), *([("deleted", name), ("gone", name)] if action == "delete_pod" else [])]


def test_no_longer_than_its_machine_lives(worker: Any, monkeypatch: Any, caplog: Any) -> None:
    worker = worker()
    _, pod = worker.launched(monkeypatch)
    worker.task.on_kill()
    monkeypatch.setattr(worker.task.client, "read_namespaced_pod", lambda *_, **__: pod)
    worker.task.interruptible_wait_until_stopped(time.monotonic() - 1)
    assert "has not ended yet; the next attempt waits for it" in caplog.text


@pytest.mark.parametrize(("causes", "deleted"), [((), True), (LAST, False)])
def test_a_pod_that_found_no_spot_node_does_not_start_later(
    worker: Any, monkeypatch: Any, causes: Any, deleted: bool
) -> None:
    pod = earlier("Pending")
    worker = worker(pod, on_finish_action="keep_pod").after(*causes)
    worker.begun(monkeypatch)
    monkeypatch.setattr(KubernetesPodOperator, "cleanup", lambda *_, **__: None)
    worker.task.cleanup(pod=pod, remote_pod=pod, xcom_result=None, context=worker.context)
    assert (("deleted", "work-old") in worker.task.client.done) is deleted
    assert worker.task.seen_pod is pod


def test_a_pod_is_looked_at_before_it_goes(worker: Any, monkeypatch: Any) -> None:
    now, before = earlier("Failed"), earlier("Pending")
    now.spec.node_name = "n2"
    worker = worker(now)
    worker.begun(monkeypatch)
    monkeypatch.setattr(KubernetesPodOperator, "cleanup", lambda *_, **__: None)
    worker.task.cleanup(pod=before, remote_pod=before, context=worker.context)
    assert worker.task.seen_pod is now
    assert worker.task.launched["launched_node"] == "n2"


# -- what is refused when the Dag is parsed


def applied(**arguments: Any) -> Any:
    with DAG("d", schedule=None):
        task = interruptible(KubernetesPodOperator)(
            task_id="t", **{"interruptible": True, "retries": 2, "compute": "karpenter", **arguments}
        )
    adoption.apply(task)
    return task


def pinned(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [], **spec}}


ONLY_ON_DEMAND = {KEY: "on-demand"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"node_selector": ONLY_ON_DEMAND},
        {"affinity": affinity({"key": KEY, "operator": "In", "values": ["on-demand"]})},
        {"affinity": model(pinned(affinity=affinity(NOT_SPOT))).spec.affinity},
        {"full_pod_spec": model(pinned(nodeSelector=ONLY_ON_DEMAND))},
        {"pod_template_dict": pinned(nodeSelector=ONLY_ON_DEMAND)},
        {"pod_template_dict": pinned(affinity=affinity(NOT_SPOT, {**IN_SPOT, "key": "{{ params.key }}"}))},
    ],
)
def test_a_pod_that_could_be_on_one_capacity_only_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"No node can run this task's spot attempts: the pod asks for "):
        applied(**arguments)
    applied(**arguments, interruptible=False)


def test_so_is_one_of_a_mapped_task() -> None:
    arguments = {"interruptible": True, "retries": 2, "compute": "karpenter", "node_selector": ONLY_ON_DEMAND}
    with DAG("d", schedule=None) as dag:
        interruptible(KubernetesPodOperator).partial(task_id="t", **arguments).expand(arguments=[["a"], ["b"]])
    with pytest.raises(ConfigurationError, match="No node can run"):
        adoption.apply(dag.get_task("t"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"node_selector": {KEY: "{{ var.value.capacity }}"}},
        {"pod_template_dict": pinned(nodeSelector={KEY: "{% if params.safe %}on-demand{% endif %}"})},
        {"pod_template_dict": pinned(affinity=affinity({**IN_SPOT, "values": ["{{ params.capacity }}"]}))},
        {"pod_template_dict": pinned(affinity=affinity({**IN_SPOT, "operator": "{{ params.operator }}"}))},
        {"pod_template_file": "/there/is/no/such/file.yaml"},
        {"pod_template_file": "{{ var.value.template }}"},
        {"pod_template_dict": pinned(nodeSelector=ONLY_ON_DEMAND), "node_selector": {"the": "argument counts"}},
    ],
)
def test_what_does_not_count_or_is_not_known_yet_is_not_refused(arguments: dict[str, Any]) -> None:
    assert applied(**arguments).interruptible_annotation.launch.name == "karpenter"


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        ({"name": "kubernetes", "preset": "nope"}, "the preset 'nope', which does not exist"),
        ({"name": "karpenter", "spot": {"node_selector": "spot"}}, "Wanted is a mapping"),
        ({"name": "kubernetes", "spot": {"node_selector": {"a": "b"}}}, "could run on any node"),
        ("karpentre", "no compute called 'karpentre'"),
    ],
)
@pytest.mark.parametrize("interruptible", [True, False])
def test_a_compute_that_cannot_be_meant_is_refused(compute: Any, said: str, interruptible: bool) -> None:
    with pytest.raises(ConfigurationError, match=said):
        applied(compute=compute, interruptible=interruptible)


# -- the Airflow task itself


def test_the_airflow_task_follows_airflow_cfg(configure: Any) -> None:
    configure(compute="queue", compute_options='{"spot": "cheap", "on_demand": "safe"}')
    task = applied()
    marker = Marker.from_config(task.executor_config)
    assert task.queue == "cheap"
    assert marker is not None
    assert marker.compute is None
    assert "pod_override" not in task.executor_config


def test_any_other_compute_is_the_airflow_task_s(configure: Any) -> None:
    configure(pod_compute="gke")
    task = applied(compute={"name": "queue", "spot": "cheap", "on_demand": "safe"})
    assert task.queue == "cheap"
    assert task.interruptible_annotation.launch.name == "gke"


def test_what_it_says_is_kept_for_the_retry_policy(worker: Any, monkeypatch: Any) -> None:
    """An EksPodOperator cannot ask its cluster any more when the policy is asked."""
    pod = earlier("Failed")
    pod.status.conditions = [
        k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI", message="")
    ]
    worker = worker(pod)
    worker.begun(monkeypatch)
    monkeypatch.setattr(KubernetesPodOperator, "cleanup", lambda *_, **__: None)
    worker.task.cleanup(pod=pod, remote_pod=pod, context=worker.context)
    worker.task.client = None
    worker.bench.evaluate(RuntimeError())
    record = worker.bench.ledger.records[1]
    assert (record.cause, record.rule) == (Cause.INFRASTRUCTURE, "k8s/evicted-by-api")


def test_a_pod_whose_attempt_was_told_to_stop_is_not_looked_at(worker: Any, monkeypatch: Any) -> None:
    pod = earlier("Running")
    worker = worker(pod)
    worker.begun(monkeypatch)
    worker.task.interruptible_told = True
    monkeypatch.setattr(KubernetesPodOperator, "cleanup", lambda *_, **__: None)
    worker.task.cleanup(pod=pod, remote_pod=pod, context=worker.context)
    assert worker.task.seen_pod is None
