# SPDX-License-Identifier: Apache-2.0
"""A worker in miniature: one task instance, its task state store, and the server it could ask. No Airflow stack."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.ledger import KEY, Ledger
from airflow_interruptible.worker import notes

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class FakeStore:
    """What ``context["task_state_store"]`` is: JSON under keys. ``down`` names the methods that cannot reach it."""

    values: dict[str, str] = field(default_factory=dict)
    down: frozenset[str] = frozenset()
    writes: int = 0

    def get(self, key: str, default: Any = None) -> Any:
        if "get" in self.down:
            raise ConnectionError
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        if "set" in self.down:
            raise ConnectionError
        self.values[key] = json.dumps(value)
        self.writes += 1


@dataclass
class FakeTaskInstance:
    """The part of Airflow's ``RuntimeTaskInstance`` that is public and used."""

    task: Any
    max_tries: int
    try_number: int = 1
    map_index: int = -1
    queue: str | None = "default"
    dag_id: str = "dag"
    task_id: str = "work"
    run_id: str = "run"
    id: str = "01a2"
    server_state: str | None = "running"
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_task_states(self, **query: Any) -> dict[str, dict[str, Any]]:
        self.asked.append(query)
        if self.server_state == "unreachable":
            raise ConnectionError
        key = self.task_id if query["map_index"] is None else f"{self.task_id}_{query['map_index']}"
        return {self.run_id: {key: self.server_state}}


@dataclass
class Bench:
    """A task, its task instance and its store."""

    task: Any
    ti: FakeTaskInstance
    store: FakeStore = field(default_factory=FakeStore)
    conf: dict[str, Any] = field(default_factory=dict)

    @property
    def context(self) -> dict[str, Any]:
        return {"ti": self.ti, "task_state_store": self.store, "dag_run": SimpleNamespace(conf=self.conf)}

    @property
    def ledger(self) -> Ledger:
        return Ledger.from_json(self.store.get(KEY))

    def evaluate(self, exception: BaseException) -> Any:
        """Let Airflow ask the task's retry policy, as it does: with its own numbers."""
        return self.task.retry_policy.evaluate(exception, self.ti.try_number, self.ti.max_tries, self.context)

    def next_try(self) -> Bench:
        """Go on to the next try."""
        self.ti.try_number += 1
        return self

    def clear(self) -> Bench:
        """Let a person clear the task: the next try starts both budgets afresh."""
        self.ti.max_tries = self.ti.try_number + self.task.retries
        return self.next_try()


@pytest.fixture(autouse=True)
def _no_notes() -> None:
    """Every task instance of these tests has the same name; what is noted of one is not known of the next."""
    notes._notes.clear()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    """``bench(retries=2, ...)``: an interruptible task that is about to run its first attempt, on no cloud at all."""
    monkeypatch.setattr("airflow_interruptible.notices.default_sources", tuple)
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    from airflow_interruptible import interruptible

    def build(
        *, conf: dict[str, Any] | None = None, default_args: dict[str, Any] | None = None, **arguments: Any
    ) -> Bench:
        arguments = {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
        with DAG("dag", schedule=None, default_args=default_args or {}):
            task = interruptible(EmptyOperator)(task_id="work", **arguments)
        return Bench(task, FakeTaskInstance(task, task.retries), conf=conf or {})

    return build


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that nobody would accept, and no connection but what the machine has."""
    pytest.importorskip("airflow.providers.amazon")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def stubbed(aws: None) -> Callable[..., Any]:
    """``stubbed("batch", ("describe_jobs", params, answer), ...)``: a client that checks both by AWS's model."""
    import boto3
    from botocore.stub import Stubber

    def build(service: str, *calls: tuple[str, dict[str, Any], dict[str, Any]]) -> Any:
        client = boto3.client(service, region_name="us-east-1")
        stubber = Stubber(client)
        for method, params, answer in calls:
            if "Error" in answer:
                stubber.add_client_error(method, answer["Error"]["Code"], expected_params=params)
            else:
                stubber.add_response(method, answer, params)
        stubber.activate()
        return client

    return build


@pytest.fixture
def answering(stubbed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``answering("ec2", *calls)``: the client that is made for a service, besides an operator's own."""
    from airflow_interruptible.remote import aws as services

    clients: dict[str, Any] = {}
    monkeypatch.setattr(services, "client", lambda service, *_, **__: clients[service])

    def install(service: str, *calls: Any) -> None:
        clients[service] = stubbed(service, *calls)

    return install
