# SPDX-License-Identifier: Apache-2.0
"""Vertex AI's operators as they are installed, made interruptible, against a Vertex that runs their commands here."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.google")
from airflow.providers.google.cloud.hooks.vertex_ai.custom_job import CustomJobHook
from airflow.providers.google.cloud.operators.vertex_ai.custom_job import (
    CreateCustomContainerTrainingJobOperator,
    CreateCustomJobOperator,
)
from google.cloud.aiplatform_v1 import types
from google_api.vertex import INTERNAL, OUT_OF_MEMORY, STOCKOUT, Vertex, inputs_of

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError, Interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from google_api.server import GoogleApi

FINE, FOR_EVER = ["true"], ["sleep", "60"]
PLACE = {"project_id": "p", "region": "us-central1"}
OURS = {"interruptible": True, "retries": 2, "system_retries": 3}


@pytest.fixture
def vertex(google: GoogleApi) -> Vertex:
    """A Vertex AI that runs the commands of its jobs here."""
    service = Vertex()
    google.services.append(service)
    return service


def job(command: Any = FINE, **scheduling: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"worker_pool_specs": [{"container_spec": {"image_uri": "i", "command": command}}]}
    return {"display_name": "train", "job_spec": {**spec, **({"scheduling": scheduling} if scheduling else {})}}


def create(command: Any = FINE, **arguments: Any) -> Any:
    given = {"task_id": "work", "custom_job": job(command), "poll_interval": 0, **PLACE, **OURS, **arguments}
    return interruptible(CreateCustomJobOperator)(**given)


def train(command: Any = FINE, **arguments: Any) -> Any:
    given = {"task_id": "work", "display_name": "train", "container_uri": "i", "command": command, **PLACE, **OURS}
    given |= {"staging_bucket": "gs://b", "base_output_dir": "gs://b/out", "poll_interval": 0, **arguments}
    return interruptible(CreateCustomContainerTrainingJobOperator)(**given)


def strategies(google: GoogleApi) -> list[Any]:
    jobs = [one.custom_job.job_spec.scheduling for one in google.requests("CreateCustomJob")]
    pipelines = [
        inputs_of(one.training_pipeline).get("scheduling") for one in google.requests("CreateTrainingPipeline")
    ]
    return [
        *((one.strategy.name, one.disable_retries) for one in jobs),
        *((one["strategy"], one["disable_retries"]) for one in pipelines if one),
    ]


SPOT, ON_DEMAND = ("SPOT", True), ("STANDARD", True)
KINDS = pytest.mark.parametrize("launch", [create, train], ids=["custom-job", "training"])


@KINDS
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_preemption_leads_to_on_demand(
    attempts: Any, google: GoogleApi, vertex: Vertex, launch: Any, deferrable: bool
) -> None:
    """Vertex calls it a stockout."""
    preempted = attempts(lambda: launch(FOR_EVER, deferrable=deferrable))
    vertex.watching = lambda job: job.end(STOCKOUT)
    assert preempted.run() == "retry"
    vertex.watching = lambda job: None
    preempted.make = lambda: launch(deferrable=deferrable)
    assert preempted.run() == "success"
    assert strategies(google) == [SPOT, ON_DEMAND]
    assert preempted.causes == ["no_capacity", None]
    assert preempted.charges == ["system", None]
    assert preempted.capacities == ["spot", "on-demand"]
    assert preempted.record.where["launched_job"] in vertex.jobs


@KINDS
def test_the_last_user_attempt_is_on_demand(attempts: Any, google: GoogleApi, vertex: Vertex, launch: Any) -> None:
    failing = attempts(lambda: launch(FOR_EVER, retries=1))
    vertex.watching = lambda job: job.end(INTERNAL)
    assert failing.run() == "retry"
    vertex.watching = lambda job: None
    failing.make = lambda: launch(["sh", "-c", "exit 3"], retries=1)
    assert failing.run() == "retry"
    failing.make = lambda: launch(retries=1)
    assert failing.run() == "success"
    assert strategies(google) == [SPOT, SPOT, ON_DEMAND]
    assert failing.causes == ["infrastructure", "application", None]
    assert failing.charges == ["system", "user", None]


@KINDS
@pytest.mark.parametrize(
    "end",
    [lambda job: job.cancel(), lambda job: job.expire(), lambda job: job.end(OUT_OF_MEMORY)],
    ids=["cancelled", "own-timeout", "memory"],
)
def test_what_the_author_pays(attempts: Any, google: GoogleApi, vertex: Vertex, launch: Any, end: Any) -> None:
    ended = attempts(lambda: launch(FOR_EVER))
    vertex.watching = end
    assert ended.run() == "retry"
    assert ended.charges == ["user"]


@KINDS
def test_a_signal_cancels_the_job(attempts: Any, google: GoogleApi, vertex: Vertex, launch: Any) -> None:
    told = attempts(lambda: launch(FOR_EVER))
    vertex.watching = lambda job: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert isinstance(told.errors[0], Interrupted)
    assert [job.state for job in vertex.jobs.values()] == ["CANCELLED"]


def until(flag: Path) -> list[str]:
    return ["sh", "-c", f"while [ ! -e {flag} ]; do sleep 0.05; done"]


@pytest.fixture
def killer(killer_of: Any, google: GoogleApi) -> Any:
    """Kills what waits for Vertex AI."""
    from google.cloud.aiplatform import training_jobs

    return killer_of((CustomJobHook, "wait_for_custom_job"), (training_jobs._TrainingJob, "_get_model"))


@KINDS
def test_work_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, vertex: Vertex, killer: Any, flag: Path, launch: Any
) -> None:
    lost = attempts(lambda: launch(until(flag)))
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[Any] = []

    def watch(job: Any) -> None:
        seen.append(job)
        if len(seen) > 3:
            flag.touch()
            job.process.wait()

    vertex.watching = watch
    assert lost.run() == "success"
    assert len(vertex.jobs) == 1
    assert lost.causes == ["infrastructure", None]
    assert lost.capacities == ["spot", "spot"]
    assert "goes on with Vertex AI" in (lost.record.reason or "")


@KINDS
def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, google: GoogleApi, vertex: Vertex, killer: Any, launch: Any
) -> None:
    lost = attempts(lambda: launch(FOR_EVER, retries=1))
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: launch(retries=0)
    assert lost.run() == "success"
    assert [job.state for job in vertex.jobs.values()] == ["CANCELLED", "SUCCEEDED"]
    assert strategies(google) == [SPOT, ON_DEMAND]


@KINDS
def test_a_preemption_that_nobody_saw_is_found_out(attempts: Any, vertex: Vertex, killer: Any, launch: Any) -> None:
    lost = attempts(lambda: launch(FOR_EVER))
    assert lost.run() == "killed"
    next(iter(vertex.jobs.values())).end(STOCKOUT)
    killer.armed, lost.make = False, launch
    assert lost.run() == "success"
    assert lost.causes == ["no_capacity", None]


@pytest.mark.parametrize(
    ("scheduling", "said"),
    [
        ({"strategy": "STANDARD"}, "strategy='STANDARD'"),
        ({"strategy": "FLEX_START"}, "strategy='FLEX_START'"),
        ({"restart_job_on_worker_restart": True}, "restart_job_on_worker_restart=True"),
    ],
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, scheduling: Any, said: str) -> None:
    operator = interruptible(CreateCustomJobOperator)
    given = {"task_id": "work", "interruptible": True, **PLACE}
    for make in (
        lambda: create(custom_job=job(**scheduling)),
        lambda: create(custom_job=types.CustomJob(job(**scheduling))),
        lambda: operator.partial(**given).expand(custom_job=[job(), job(**scheduling)]),
    ):
        with pytest.raises(ConfigurationError, match=f"{said} and an interruptible task contradict"):
            attempts(make).parsed()


def test_a_message_is_placed_too(attempts: Any, google: GoogleApi, vertex: Vertex) -> None:
    given = types.CustomJob(job())
    assert attempts(lambda: create(custom_job=given)).run() == "success"
    assert strategies(google) == [SPOT]
    assert given.job_spec.scheduling.strategy == types.Scheduling.Strategy.STRATEGY_UNSPECIFIED


def test_a_template_that_contradicts_is_a_clear_failure(attempts: Any, google: GoogleApi, vertex: Vertex) -> None:
    templated = attempts(lambda: create(custom_job=job(strategy="{{ 'STAND' + 'ARD' }}")))
    assert templated.run() == "failed"
    assert "strategy='STANDARD'" in str(templated.errors[0])
    assert vertex.jobs == {}


@KINDS
def test_none_leaves_jobs_where_their_authors_send_them(
    attempts: Any, google: GoogleApi, vertex: Vertex, launch: Any, configure: Any
) -> None:
    configure(launched='{"vertex": "none", "vertex_training": "none"}')
    plain = attempts(launch)
    assert plain.run() == "success"
    assert plain.capacities == ["on-demand"]
    assert [name for name, _ in strategies(google)] in ([], ["STRATEGY_UNSPECIFIED"])
