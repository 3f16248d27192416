# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F811 - pytest finds fixtures by the names of arguments
"""A pod that is gone when its end is judged: what was seen of it before, and what was not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from unit.operators.test_earlier_pods import refuse
from unit.operators.test_pod import (  # noqa: F401 - fixtures
    ON_DEMAND,
    SPOT,
    ApiException,
    _outside_the_task_runner,
    earlier,
    k8s,
    worker,
)

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.ledger import Ledger, Record

BEGUN = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=timezone.utc)
SUCCESS = {"status": "success", "name": "work-x", "namespace": "ns", "message": "Container succeeded"}


def killing(container: str = "base", after: float = 60) -> Any:
    """What the kubelet says when it stops a container that runs."""
    return k8s.CoreV1Event(
        involved_object=k8s.V1ObjectReference(kind="Pod", name="work-x"),
        metadata=k8s.V1ObjectMeta(name="e"),
        reason="Killing",
        source=k8s.V1EventSource(component="kubelet", host="n"),
        message=f"Stopping container {container}",
        last_timestamp=(BEGUN + timedelta(seconds=after)).replace(microsecond=0),
    )


def resumed(worker: Any, *events: Any) -> Any:
    worker = worker(deferrable=True)
    worker.bench.ti.start_date = BEGUN
    where = {"launched_pod": "work-x", "launched_namespace": "ns"}
    begun = Record(capacity=SPOT, started=BEGUN.isoformat(), where=where)
    worker.bench.store.set("interruptible", Ledger(worker.task.retries, records={1: begun}).to_json())
    worker.task.client.list_namespaced_event = lambda *_, **__: k8s.CoreV1EventList(items=list(events))
    return worker


@pytest.mark.parametrize(("node", "charge"), [("gone", "system"), ("there", "user")])
def test_a_success_after_the_pod_was_told_to_end_is_none(worker: Any, monkeypatch: Any, node: str, charge: str) -> None:
    """It exited with 0, as well-behaved programs do when they are told, and was gone when the task resumed."""
    worker = resumed(worker, killing())
    monkeypatch.setattr(worker.task.client, "read_node", lambda *_, **__: k8s.V1Node())
    if node == "gone":
        refuse(worker, monkeypatch, "read_node", 404)
    with pytest.raises(AirflowException, match="succeeded only after that") as raised:
        worker.task.resume_execution("trigger_reentry", {"event": SUCCESS}, worker.context)
    worker.bench.evaluate(raised.value)
    assert worker.bench.ledger.records[1].charge.value == charge


@pytest.mark.parametrize("events", [[], [killing("sidecar")], [killing(after=-60)]])
def test_one_that_was_only_cleared_away_counts(worker: Any, events: Any) -> None:
    """By its own name, an earlier attempt's pod may have been told to end."""
    worker = resumed(worker, *events)
    assert worker.task.resume_execution("trigger_reentry", {"event": SUCCESS}, worker.context) is None


def test_who_may_not_list_events_is_told_so(worker: Any, monkeypatch: Any, caplog: Any) -> None:
    worker = resumed(worker)
    refuse(worker, monkeypatch, "list_namespaced_event")
    assert worker.task.resume_execution("trigger_reentry", {"event": SUCCESS}, worker.context) is None
    assert "whether it was told to end cannot be asked" in caplog.text


def test_what_was_read_of_a_pod_that_was_drained_counts_when_it_is_gone(worker: Any, monkeypatch: Any) -> None:
    """On demand nothing is presumed, and the node is still there."""
    pod = earlier("Running", on=ON_DEMAND)
    pod.status.conditions = [k8s.V1PodCondition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI")]
    worker = worker(pod, retries=0)
    worker.begun(monkeypatch)
    worker.task.pod = worker.task.pod_manager.read_pod(pod)
    del worker.task.client.pods[pod.metadata.name]
    with pytest.raises(ApiException) as gone:
        worker.task.pod_manager.read_pod(pod)
    worker.bench.evaluate(gone.value)
    record = worker.bench.ledger.records[1]
    assert (record.cause, record.rule) == (Cause.INFRASTRUCTURE, "k8s/evicted-by-api")
