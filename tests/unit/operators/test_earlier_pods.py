# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F811 - pytest finds fixtures by the names of arguments
"""What a pod operator does about the pods of earlier attempts: none begins beside what may be at work."""

from __future__ import annotations

import math
from typing import Any

import pytest
from unit.operators.test_pod import (  # noqa: F401 - fixtures
    LAST,
    ON_DEMAND,
    SPOT,
    ApiException,
    _outside_the_task_runner,
    earlier,
    k8s,
    worker,
)

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.operators.earlier_pods import EarlierPodError

RECLAIMED = (Cause.SPOT_INTERRUPTION,)
NONE_LEFT_TO_FORGIVE = (Cause.SPOT_INTERRUPTION,) * 3
"""After these the next attempt is due on demand, and is not the last user attempt."""


def did(worker: Any, *but: str) -> list[tuple[str, str]]:
    return [(what, name) for what, name in worker.task.client.done if what not in but]


def refuse(worker: Any, monkeypatch: Any, call: str, status: int = 403, times: int | None = None) -> list[int]:
    """Let the API refuse a call, so often or for ever."""
    does, refused = getattr(worker.task.client, call), []

    def refusing(*args: Any, **said: Any) -> Any:
        if times is None or len(refused) < times:
            refused.append(status)
            raise ApiException(status=status)
        return does(*args, **said)

    monkeypatch.setattr(worker.task.client, call, refusing)
    return refused


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries and looks follow one another at once, on a clock that they alone advance."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr("airflow_interruptible.remote.kubernetes_client.time.sleep", sleep)
    defaults = {"latest": math.inf, "clock": lambda: clock[0], "sleep": sleep}
    monkeypatch.setattr("airflow_interruptible.worker.pod_endings.await_end.__kwdefaults__", defaults)


# -- one that lives


def test_a_live_pod_is_gone_on_with_and_the_record_says_what_it_runs_on(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Running")).after(*NONE_LEFT_TO_FORGIVE)
    _, pod = worker.launched(monkeypatch)
    assert pod.metadata.name == "work-old"
    record = worker.bench.ledger.records[4]
    assert record.capacity is SPOT
    assert record.reason == "goes on with pod work-old, which still runs on spot"
    assert record.where["launched_pod"] == "work-old"
    assert record.where["launched_node"] == "n1"
    assert worker.task.launched_capacity is SPOT
    assert not did(worker)


def test_what_the_node_says_counts_more_than_what_the_pod_asked_for(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Running", on=ON_DEMAND)).after(*RECLAIMED)
    node = k8s.V1Node(metadata=k8s.V1ObjectMeta(labels={"karpenter.sh/capacity-type": "spot"}))
    monkeypatch.setattr(worker.task.client, "read_node", lambda *_, **__: node)
    worker.launched(monkeypatch)
    assert worker.bench.ledger.records[2].capacity is SPOT


def test_on_the_last_user_attempt_spot_work_is_ended_first(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Running")).after(*LAST)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    name = request.metadata.name
    assert did(worker, "patched") == [("deleted", "work-old"), ("gone", "work-old"), ("created", name)]
    assert worker.bench.ledger.records[3].capacity is ON_DEMAND


def test_on_demand_work_is_gone_on_with_on_the_last_one_too(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Running", on=ON_DEMAND)).after(*LAST)
    _, pod = worker.launched(monkeypatch)
    assert pod.metadata.name == "work-old"
    assert worker.bench.ledger.records[3].capacity is ON_DEMAND


def test_of_several_that_live_one_is_gone_on_with_and_the_others_end(worker: Any, monkeypatch: Any) -> None:
    old, new = (earlier("Running", name=name, creation_timestamp=at) for name, at in (("old", "1"), ("new", "2")))
    worker = worker(new, old).after(*RECLAIMED)
    _, pod = worker.launched(monkeypatch)
    assert pod is new
    assert did(worker, "patched") == [("deleted", "old"), ("gone", "old")]


def test_the_operator_finds_the_pod_of_this_attempt_whatever_others_are_listed(worker: Any, monkeypatch: Any) -> None:
    """Airflow's own operator fails of two pods that have its labels."""
    worker = worker(earlier("Failed"), on_finish_action="keep_pod").after(*RECLAIMED)
    refuse(worker, monkeypatch, "patch_namespaced_pod")
    request, _ = worker.launched(monkeypatch)
    assert worker.task.find_pod("ns", worker.context).metadata.name == request.metadata.name
    del worker.task.client.pods[request.metadata.name]
    assert worker.task.find_pod("ns", worker.context) is None


# -- one that waits


def test_a_pod_that_waits_for_spot_makes_room_for_one_on_demand(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Pending"), on_finish_action="keep_pod").after(*NONE_LEFT_TO_FORGIVE)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert did(worker)[:3] == [("patched", "work-old"), ("deleted", "work-old"), ("gone", "work-old")]
    assert worker.bench.ledger.records[4].capacity is ON_DEMAND


def test_a_pod_that_waits_for_the_same_capacity_is_waited_for(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Pending")).after(*RECLAIMED)
    _, pod = worker.launched(monkeypatch)
    assert pod.metadata.name == "work-old"


# -- one that ends or has ended


@pytest.mark.parametrize("durable", [True, False])
def test_a_pod_that_is_ending_is_waited_for_before_another_begins(worker: Any, monkeypatch: Any, durable: bool) -> None:
    pods = [earlier("Running", name=name, deletion_timestamp="t", deletion_grace_period_seconds=30) for name in "ab"]
    worker = worker(*pods, durable=durable).after(*RECLAIMED)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert did(worker, "patched") == [("gone", "a"), ("gone", "b"), ("created", request.metadata.name)]


def test_so_is_one_that_an_earlier_attempt_has_marked(worker: Any, monkeypatch: Any) -> None:
    """It was told to stop while it waited, or it failed of something else and keeps its pods."""
    ending = earlier("Running", name="a", deletion_timestamp="t", deletion_grace_period_seconds=30)
    at_work = earlier("Running", name="b")
    for pod in (ending, at_work):
        pod.metadata.labels["already_checked"] = "True"
    worker = worker(ending, at_work, on_finish_action="keep_pod").after(*RECLAIMED)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert did(worker) == [("deleted", "b"), ("gone", "a"), ("gone", "b"), ("created", request.metadata.name)]


def test_a_pod_on_a_node_that_does_not_answer_is_waited_for_as_long_as_it_had(
    worker: Any, monkeypatch: Any, caplog: Any
) -> None:
    ending = earlier("Running", deletion_timestamp="t", deletion_grace_period_seconds=30)
    worker = worker(ending).after(*RECLAIMED)
    monkeypatch.setattr(worker.task.client, "read_namespaced_pod", lambda *_, **__: ending)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert "still listed" in caplog.text


def test_a_pod_that_is_disrupted_and_not_deleted_is_ended(worker: Any, monkeypatch: Any) -> None:
    disrupted = earlier("Running")
    disrupted.status.conditions = [k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="r")]
    worker = worker(disrupted).after(*RECLAIMED)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    name = request.metadata.name
    assert did(worker, "patched") == [("deleted", "work-old"), ("gone", "work-old"), ("created", name)]


@pytest.mark.parametrize("action", ["keep_pod", "delete_pod"])
def test_one_that_has_failed_is_left_to_its_author_s_rule(worker: Any, monkeypatch: Any, action: str) -> None:
    worker = worker(earlier("Failed"), on_finish_action=action).after(*RECLAIMED)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert (("deleted", "work-old") in did(worker)) == (action == "delete_pod")


def test_a_success_is_taken_as_airflow_takes_it(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Succeeded"), on_finish_action="keep_pod").after(*RECLAIMED)
    _, pod = worker.launched(monkeypatch)
    assert pod.metadata.name == "work-old"


@pytest.mark.parametrize("how", ["deleted", "disrupted"])
def test_a_pod_that_was_told_to_end_has_not_succeeded(worker: Any, monkeypatch: Any, how: str) -> None:
    """A handled SIGTERM may exit 0."""
    told = earlier("Succeeded", deletion_timestamp="t" if how == "deleted" else None)
    if how == "disrupted":
        told.status.conditions = [k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="r")]
    worker = worker(told, on_finish_action="keep_pod").after(*RECLAIMED)
    request, pod = worker.launched(monkeypatch)
    assert pod is request


def test_who_wants_no_attaching_gets_none(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Failed"), durable=False).after(*RECLAIMED)
    worker.launched(monkeypatch)
    assert [what for what, _ in did(worker)] == ["created"]


def test_nor_a_pod_beside_his_own(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Running"), durable=False).after(*RECLAIMED)
    worker.launched(monkeypatch)
    assert [what for what, _ in did(worker)] == ["deleted", "gone", "created"]


@pytest.mark.parametrize("kept", [["work"], ["work", "work-2"]])
def test_a_kept_pod_is_in_nobody_s_way(worker: Any, monkeypatch: Any, kept: list[str]) -> None:
    pods = [earlier("Failed", name=name) for name in kept]
    worker = worker(*pods, random_name_suffix=False, on_finish_action="keep_pod").after(*RECLAIMED)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert request.metadata.name == f"work-{1 + len(kept)}"


# -- an API that refuses


@pytest.mark.parametrize(
    ("pod", "causes"),
    [
        (earlier("Running", deletion_timestamp="t"), RECLAIMED),
        (earlier("Pending"), NONE_LEFT_TO_FORGIVE),
        (earlier("Running"), LAST),
    ],
)
def test_what_must_not_be_attached_to_is_not_for_want_of_a_label(
    worker: Any, monkeypatch: Any, pod: Any, causes: Any
) -> None:
    worker = worker(pod).after(*causes)
    refuse(worker, monkeypatch, "patch_namespaced_pod")
    request, found = worker.launched(monkeypatch)
    assert found is request


@pytest.mark.parametrize("status", [409, 410, 429, 500, 503])
def test_a_list_that_fails_is_asked_for_again(worker: Any, monkeypatch: Any, status: int) -> None:
    worker = worker(earlier("Running", deletion_timestamp="t")).after(*RECLAIMED)
    refused = refuse(worker, monkeypatch, "list_namespaced_pod", status, times=4)
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert len(refused) == 4


@pytest.mark.parametrize(("status", "asked"), [(403, 1), (500, 5)])
def test_without_a_list_nothing_begins(worker: Any, monkeypatch: Any, status: int, asked: int) -> None:
    worker = worker(earlier("Running")).after(*RECLAIMED)
    refused = refuse(worker, monkeypatch, "list_namespaced_pod", status)
    with pytest.raises(ApiException):
        worker.launched(monkeypatch)
    assert len(refused) == asked
    assert not did(worker)


def test_beside_a_pod_that_cannot_be_ended_nothing_begins(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Running")).after(*LAST)
    refuse(worker, monkeypatch, "delete_namespaced_pod")
    with pytest.raises(EarlierPodError, match="Allow the worker to delete pods in namespace ns"):
        worker.launched(monkeypatch)
    assert not did(worker, "patched")


def test_a_fault_of_ours_leaves_airflow_s_own_rule(worker: Any, monkeypatch: Any, caplog: Any) -> None:
    worker = worker(earlier("Running")).after(*RECLAIMED)
    monkeypatch.setattr("airflow_interruptible.operators.earlier_pods.work_of", lambda *_: 1 / 0)
    _, pod = worker.launched(monkeypatch)
    assert pod.metadata.name == "work-old"
    assert "Airflow's own rule applies" in caplog.text


def test_a_history_that_cannot_be_read_waits_all_the_same(worker: Any, monkeypatch: Any) -> None:
    worker = worker(earlier("Running", deletion_timestamp="t")).after(*RECLAIMED)
    worker.bench.store.down = frozenset({"get"})
    request, pod = worker.launched(monkeypatch)
    assert pod is request
    assert did(worker, "patched")[0] == ("gone", "work-old")


def test_what_of_the_provider_s_is_relied_on() -> None:
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    for name in ("_get_pod_from_task_state_store", "find_pod", "patch_already_checked", "process_pod_deletion"):
        assert callable(getattr(KubernetesPodOperator, name)), name
