# SPDX-License-Identifier: Apache-2.0
"""A worker that runs attempts of an unmodified operator, made interruptible, against services on a loopback address.

Each attempt parses the Dag anew, renders, executes, and goes through the triggerer if it is deferred; its failure is
judged by the task's own retry policy. What is not there: scheduler, database, and Airflow's supervisor.
"""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from aws_api.batch import Batch
from aws_api.ecs import Ecs
from aws_api.emr import Emr
from aws_api.emr_serverless import EmrServerless
from aws_api.glue import Glue
from aws_api.sagemaker import SageMaker
from aws_api.server import AwsApi, environment_of

from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.ledger import KEY, Ledger, Record
from airflow_interruptible.policies import adoption
from airflow_interruptible.worker import notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Killed(BaseException):
    """The worker is killed hard: nothing of it may run any more."""


@dataclass
class Store:
    """What ``context["task_state_store"]`` is."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


@dataclass
class TaskInstance:
    """The part of Airflow's task instance that operators and we use."""

    task: Any
    max_tries: int
    try_number: int
    dag_id: str = "dag"
    task_id: str = "work"
    run_id: str = "run"
    map_index: int = -1
    queue: str = "default"
    id: str = "01a2"
    start_date: Any = None
    stats_tags: dict[str, str] = field(default_factory=dict)
    xcoms: dict[str, Any] = field(default_factory=dict)
    server_state: str = "running"

    def get_task_states(self, **_: Any) -> dict[str, dict[str, Any]]:
        return {self.run_id: {self.task_id: self.server_state}}

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, *_: Any, key: str = "return_value", **__: Any) -> Any:
        return self.xcoms.get(key)

    def get_template_context(self) -> dict[str, Any]:
        return {}


@dataclass
class Attempts:
    """The attempts of one task.

    :param make: builds the task, inside of a Dag.
    :param dag_arguments: of that Dag.
    """

    make: Callable[[], Any]
    dag_arguments: dict[str, Any] = field(default_factory=dict)
    store: Store = field(default_factory=Store)
    outcomes: list[str] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    errors: list[BaseException | None] = field(default_factory=list)
    cleared: int = 0

    def parsed(self) -> Any:
        with DAG("dag", schedule=None, **self.dag_arguments):
            task = self.make()
        adoption.apply(task)
        return task

    def clear(self) -> None:
        """Let a person clear the task."""
        self.cleared = len(self.outcomes)

    def run(self) -> str:
        """Run the next attempt; return how it ended: success, skipped, retry, failed or killed."""
        task = self.parsed()
        number = len(self.outcomes) + 1
        ti = TaskInstance(task, self.cleared + task.retries, number)
        context = {"ti": ti, "task_instance": ti, "task_state_store": self.store, "dag_run": SimpleNamespace(conf={})}
        context |= {"run_id": "run", "dag": task.dag, "params": {}, "task": task}
        notes._notes.clear()
        outcome, result, error = self._ended(task, ti, context)
        self.outcomes.append(outcome)
        self.results.append(result)
        self.errors.append(error)
        return outcome

    def _ended(self, task: Any, ti: TaskInstance, context: Any) -> tuple[str, Any, BaseException | None]:
        try:
            with told_to_stop_by_signal(task):
                return "success", self._executed(task, ti, context), None
        except Killed as error:
            return "killed", None, error
        except AirflowSkipException as error:
            return "skipped", None, error
        except (Exception, Interrupted) as error:
            if isinstance(error, AirflowFailException):
                return "failed", None, error
            decision = ti.task.retry_policy.evaluate(error, ti.try_number, ti.max_tries, context)
            return decision.action.value, None, error

    def _executed(self, task: Any, ti: TaskInstance, context: Any) -> Any:
        task.render_template_fields(context)
        try:
            return task.execute(context)
        except TaskDeferred as deferral:
            event = asyncio.run(_event_of(deferral.trigger))
            again = self.parsed()
            ti.task = context["task"] = again
            again.render_template_fields(context)
            kwargs = {**(deferral.kwargs or {}), "event": event.payload}
            return again.resume_execution(deferral.method_name, kwargs, context)

    @property
    def ledger(self) -> Ledger:
        return Ledger.from_json(self.store.get(KEY))

    @property
    def record(self) -> Record:
        """What the history knows of the last attempt."""
        return self.ledger.records[len(self.outcomes)]

    @property
    def causes(self) -> list[str | None]:
        records = self.ledger.records
        return [one.cause.value if (one := records[number]).cause else None for number in sorted(records)]

    @property
    def capacities(self) -> list[str | None]:
        records = self.ledger.records
        return [one.capacity.value if (one := records[number]).capacity else None for number in sorted(records)]

    @property
    def charges(self) -> list[str | None]:
        records = self.ledger.records
        return [one.charge.value if (one := records[number]).charge else None for number in sorted(records)]


async def _event_of(trigger: Any) -> Any:
    async for event in trigger.run():
        return event
    raise AssertionError("the trigger ended without an event")


@contextmanager
def told_to_stop_by_signal(task: Any) -> Iterator[None]:
    """What Airflow does on SIGTERM: it calls ``on_kill`` of the task that runs."""
    before = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> type[Attempts]:
    """``attempts(lambda: interruptible(Operator)(task_id="work", ...))``."""
    monkeypatch.setattr("airflow_interruptible.notices.default_sources", tuple)
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    return Attempts


@pytest.fixture
def ecs() -> Iterator[Ecs]:
    """An ECS that runs the commands of its tasks here."""
    service = Ecs()
    yield service
    service.close()


@pytest.fixture
def batch() -> Iterator[Batch]:
    """A Batch that runs the commands of its jobs here."""
    service = Batch()
    yield service
    service.close()


@pytest.fixture
def sagemaker() -> SageMaker:
    """A SageMaker whose jobs end as a test says."""
    return SageMaker()


@pytest.fixture
def emr() -> Emr:
    """An EMR whose clusters end as a test says."""
    return Emr()


@pytest.fixture
def emr_serverless() -> EmrServerless:
    """An EMR Serverless whose runs end as a test says."""
    return EmrServerless()


@pytest.fixture
def glue() -> Glue:
    """A Glue whose runs end as a test says."""
    return Glue()


@pytest.fixture
def api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsApi]:
    """The endpoint of those services, to which every client of this process goes."""
    services = [
        request.getfixturevalue(name) for name in ("ecs", "batch", "sagemaker", "emr", "emr_serverless", "glue")
    ]
    with AwsApi(services) as endpoint:
        for name, value in environment_of(endpoint).items():
            monkeypatch.setenv(name, value)
        yield endpoint


class Killer:
    """Kills the worker hard when it waits for a job, if it is armed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *waits: tuple[type, str]) -> None:
        self.armed = True
        for owner, name in waits:
            monkeypatch.setattr(owner, name, self._instead_of(getattr(owner, name)))

    def _instead_of(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(*args: Any, **kwargs: Any) -> Any:
            if self.armed:
                raise Killed
            return wait(*args, **kwargs)

        return maybe


@pytest.fixture
def killer_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Killer]:
    """Kills the worker in other waits: ``killer_of((owner, "method"), ...)``."""
    return lambda *waits: Killer(monkeypatch, *waits)


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    """Kills what waits for AWS."""
    from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
    from airflow.providers.amazon.aws.hooks.glue import GlueJobHook
    from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
    from botocore.waiter import Waiter

    waits = [(Waiter, "wait"), (BatchClientHook, "wait_for_job"), (SageMakerHook, "check_status")]
    waits.append((GlueJobHook, "job_completion"))
    return Killer(monkeypatch, *waits)


@pytest.fixture
def sync_triggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers of AWS that wait with boto3: stock ones need aiobotocore, which the provider does not bring."""
    from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger
    from airflow.triggers.base import TriggerEvent
    from botocore.exceptions import WaiterError

    async def run(self: Any) -> Any:
        hook = self.hook()
        waiter = hook.get_waiter(self.waiter_name)
        status = "success"
        try:
            waiter.wait(**self.waiter_args, WaiterConfig={"Delay": 0, "MaxAttempts": 100_000})
        except WaiterError as error:
            status = "error"
            yield TriggerEvent({"status": status, "message": str(error), self.return_key: self.return_value})
            return
        yield TriggerEvent({"status": status, self.return_key: self.return_value})

    monkeypatch.setattr(AwsBaseWaiterTrigger, "run", run)


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """A file that programs wait for."""
    return tmp_path / "flag"
