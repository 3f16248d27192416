# SPDX-License-Identifier: Apache-2.0
"""The executors for ECS and Batch with a metadata database, against services that run something here and reclaim it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.amazon")
from airflow.executors.workloads import ExecuteTask
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagbag import DBDagBag
from airflow.utils.session import create_session
from aws_api.batch import HOST_GONE, Batch
from aws_api.ecs import Ecs
from aws_api.server import AwsApi, environment_of

from airflow_interruptible.compute.executor_jobs import EXECUTORS
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.ledger import Record
from airflow_interruptible.server import seam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
STARTED = "2026-01-01T00:00:00.000+00:00"
SETTINGS = {
    "AWS_ECS_EXECUTOR": {"CLUSTER": "c", "CONTAINER_NAME": "main", "TASK_DEFINITION": "d", "SUBNETS": "s"},
    "AWS_BATCH_EXECUTOR": {"JOB_NAME": "n", "JOB_QUEUE": "queue", "JOB_DEFINITION": "d"},
}
OPTIONS = {"ecs": "{}", "batch": '{"spot": "spot-queue", "on_demand": "queue"}'}


@dataclass
class Place:
    """A service, the executor that uses it, and one task instance of a Dag."""

    kind: str
    service: Any
    api: AwsApi
    deploy: Callable[..., Any]
    executor: Any = None
    deployment: Any = None

    def begin(self, **said: Any) -> Any:
        """Deploy a Dag, and start the executor."""
        module, _, name = EXECUTORS[self.kind].rpartition(".")
        self.executor = getattr(import_module(module), name)()
        self.executor.check_health()
        self.deployment = self.deploy(**said).trigger().start_run()
        return self.deployment

    def launch(self) -> None:
        """Queue the next attempt, and let the executor launch it."""
        self.deployment.queue()
        with create_session(scoped=False) as session:
            ti = seam.find(session, (self.deployment.dag.dag_id, "work", "run", -1))
            self.executor.queue_workload(ExecuteTask.make(ti), session)
        self.executor.heartbeat()
        self.heed()

    def started(self) -> None:
        """A worker has begun the attempt."""
        self.deployment._update(-1, state="running")
        self.deployment.report(Record(self.deployment.marker().capacity, started=STARTED))

    def heed(self) -> None:
        """Let the scheduler read what the executor has to say."""
        with create_session(scoped=False) as session:
            SchedulerJobRunner.process_executor_events(self.executor, None, DBDagBag(load_op_links=False), session)

    def look(self) -> None:
        self.executor.sync()
        self.heed()

    @property
    def jobs(self) -> list[Any]:
        return list((self.service.tasks if self.kind == "ecs" else self.service.jobs).values())

    def reclaim(self) -> None:
        self.service.reclaim(self.jobs[-1]) if self.kind == "ecs" else self.jobs[-1].end(HOST_GONE)

    def fail_by_itself(self) -> None:
        """Let the attempt run out of memory, or out of its own time."""
        if self.kind == "ecs":
            reason = "OutOfMemoryError: Container killed due to memory usage"
            self.jobs[-1].stop("EssentialContainerExited", reason)
        else:
            self.jobs[-1].end("Job attempt duration exceeded timeout")

    @property
    def asked(self) -> list[Any]:
        """Where the attempts were sent."""
        if self.kind == "batch":
            return [
                (one["jobQueue"], one["retryStrategy"]["attempts"]) for one in self.api.requests("POST /v1/submitjob")
            ]
        requests = self.api.requests("RunTask")
        return [(one["capacityProviderStrategy"][0]["capacityProvider"], one.get("launchType")) for one in requests]

    @property
    def said(self) -> list[tuple[str | None, str | None]]:
        """What the history says of the attempts: cause and charge."""
        records = self.deployment.ledger().records
        return [
            (one.cause.value if one.cause else None, one.charge.value if one.charge else None)
            for one in (records[number] for number in sorted(records))
        ]


PLACES = {"ecs": ("FARGATE_SPOT", "FARGATE"), "batch": ("spot-queue", "queue")}
CONSTANT = {"ecs": None, "batch": 1}


def expected(kind: str, *capacities: CapacityType) -> list[Any]:
    return [(PLACES[kind][capacity is ON_DEMAND], CONSTANT[kind]) for capacity in capacities]


@pytest.fixture(params=["ecs", "batch"])
def place(
    request: pytest.FixtureRequest,
    deploy: Callable[..., Any],
    configure: Callable[..., None],
    executors: pytest.MonkeyPatch,
) -> Iterator[Place]:
    kind = request.param
    service = Ecs(instead=["sleep", "60"]) if kind == "ecs" else Batch(instead=["sleep", "60"])
    with AwsApi([service]) as api:
        for name, value in environment_of(api).items():
            executors.setenv(name, value)
        for section, options in SETTINGS.items():
            for name, value in options.items():
                executors.setenv(f"AIRFLOW__{section}__{name}", value)
        executors.setenv("AIRFLOW__CORE__EXECUTOR", EXECUTORS[kind])
        configure(compute=kind, compute_options=OPTIONS[kind])
        yield Place(kind, service, api, deploy)
    service.close()


def test_a_reclaim_that_no_worker_reported_is_forgiven(place: Place) -> None:
    """The executor's event carries what the service says, and the server moves the next attempt."""
    deployment = place.begin(retries=1)
    place.launch()
    place.started()
    place.reclaim()
    place.look()
    assert place.said == [("spot_interruption", "system")]
    place.launch()
    place.started()
    place.fail_by_itself()
    place.look()
    assert place.said[1] == ("application", "user")
    place.launch()
    assert place.asked == expected(place.kind, SPOT, SPOT, ON_DEMAND)
    assert deployment.marker().capacity is ON_DEMAND
    assert len(place.jobs) == 3, "nothing was launched again by the executor itself"


def test_the_request_has_nothing_of_ours_and_no_launch_type(place: Place) -> None:
    place.begin()
    place.launch()
    operation = "RunTask" if place.kind == "ecs" else "POST /v1/submitjob"
    (request,) = place.api.requests(operation)
    assert "interruptible" not in request
    assert "launchType" not in request
    assert place.deployment.row().external_executor_id


def test_what_finds_no_machine_is_given_up_for_on_demand(place: Place, configure: Callable[..., None]) -> None:
    place.begin()
    place.service.hosts = False
    place.launch()
    place.look()
    assert not place.jobs[0].over, "it may wait for five minutes"
    configure(compute=place.kind, compute_options=OPTIONS[place.kind], spot_timeout="0")
    place.look()
    assert place.jobs[0].over
    assert place.said == [("no_capacity", "system")]
    place.service.hosts = True
    place.launch()
    assert place.asked == expected(place.kind, SPOT, ON_DEMAND)


def test_what_has_a_machine_is_not_given_up(place: Place, configure: Callable[..., None]) -> None:
    place.begin()
    configure(compute=place.kind, compute_options=OPTIONS[place.kind], spot_timeout="0")
    place.launch()
    place.look()
    assert not place.jobs[0].over
    assert place.executor.running


def test_a_task_can_be_revoked(place: Place) -> None:
    deployment = place.begin()
    place.launch()
    with create_session(scoped=False) as session:
        ti = seam.find(session, (deployment.dag.dag_id, "work", "run", -1))
        place.executor.revoke_task(ti=ti)
    assert place.jobs[0].over
    assert not place.executor.running
    place.look()
    assert deployment.row().state == "queued", "the scheduler decides what becomes of it"


def test_another_scheduler_s_attempts_are_adopted(place: Place) -> None:
    place.begin()
    place.launch()
    place.started()
    other = type(place.executor)()
    other.check_health()
    with create_session(scoped=False) as session:
        ti = seam.find(session, (place.deployment.dag.dag_id, "work", "run", -1))
        left = other.try_adopt_task_instances([ti])
    if left:
        pytest.skip("this executor adopts nothing")
    place.executor = other
    place.reclaim()
    place.look()
    assert place.said == [("spot_interruption", "system")]
    assert len(place.jobs) == 1


def test_an_attempt_that_ends_well(place: Place) -> None:
    deployment = place.begin()
    place.service.instead = ["true"]
    place.launch()
    deployment.finished("success")
    place.jobs[0].process.wait()
    place.look()
    assert deployment.row().state == "success"
    assert not place.executor._jobs


@pytest.mark.parametrize("place", ["ecs"], indirect=True)
def test_fargate_without_room_leads_to_on_demand(place: Place) -> None:
    place.begin()
    place.service.no_capacity = (
        "Capacity is unavailable at this time. Please try again later or in a different availability zone."
    )
    place.launch()
    place.look()
    assert place.said == [("no_capacity", "system")]
    place.service.no_capacity = None
    place.launch()
    assert place.asked == expected("ecs", SPOT, ON_DEMAND)


@pytest.mark.parametrize("place", ["ecs"], indirect=True)
def test_own_providers_have_no_platform_version(place: Place, configure: Callable[..., None]) -> None:
    """That is Fargate's alone, and the configuration always has one."""
    configure(compute="ecs", compute_options='{"spot": "cheap", "on_demand": "sure"}')
    place.service.providers = ("cheap", "sure")
    place.begin()
    place.launch()
    (request,) = place.api.requests("RunTask")
    assert request["capacityProviderStrategy"] == [{"capacityProvider": "cheap", "weight": 1}]
    assert "platformVersion" not in request


AMAZONS = {
    "ecs": "airflow.providers.amazon.aws.executors.ecs.AwsEcsExecutor",
    "batch": "airflow.providers.amazon.aws.executors.batch.AwsBatchExecutor",
}


def test_amazon_s_own_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch, configure: Any) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", AMAZONS[place.kind])
    configure()
    with pytest.raises(ConfigurationError, match="launches it once, and says why it ended"):
        place.begin()


def test_the_private_methods_are_still_there() -> None:
    from airflow.providers.amazon.aws.executors.batch.batch_executor import AwsBatchExecutor
    from airflow.providers.amazon.aws.executors.ecs.ecs_executor import AwsEcsExecutor

    assert callable(AwsEcsExecutor._run_task_kwargs)
    assert callable(AwsBatchExecutor._submit_job_kwargs)
