# SPDX-License-Identifier: Apache-2.0
"""DatabricksSubmitRunOperator as it is installed, made interruptible, against a Databricks that runs commands here."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.databricks")
from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from databricks_api import SHUT_DOWN, SPOT_LOST, STOCKOUT, Databricks, environment_of

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError, Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FINE, FOR_EVER = ["true"], ["sleep", "60"]
CLUSTER = {"spark_version": "15.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 2}


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Databricks]:
    """A Databricks that runs the commands of its runs here."""
    with Databricks() as api:
        for name, value in environment_of(api).items():
            monkeypatch.setenv(name, value)
        yield api


@pytest.fixture
def killer(killer_of: Any) -> Any:
    """Kills what waits for Databricks."""
    from airflow.providers.databricks.hooks.databricks import DatabricksHook

    return killer_of((DatabricksHook, "get_run_page_url"))


def submit(command: Any = FINE, cluster: Any = None, **arguments: Any) -> Any:
    given = {"task_id": "work", "new_cluster": {**CLUSTER, **(cluster or {})}, "polling_period_seconds": 0.02}
    given |= {"spark_python_task": {"python_file": "run.py", "parameters": command}}
    given |= {"interruptible": True, "retries": 2, "system_retries": 3, **arguments}
    return interruptible(DatabricksSubmitRunOperator)(**given)


def availabilities(databricks: Databricks) -> list[str | None]:
    asked = databricks.requests("submit")
    return [one["new_cluster"].get("aws_attributes", {}).get("availability") for one in asked]


SPOT, ON_DEMAND = "SPOT_WITH_FALLBACK", "ON_DEMAND"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_reclaim_is_forgiven_and_the_last_attempt_is_on_demand(
    attempts: Any, databricks: Databricks, deferrable: bool
) -> None:
    own: dict[str, Any] = {"retries": 1, "deferrable": deferrable, "idempotency_token": "t"}
    reclaimed = attempts(lambda: submit(FOR_EVER, **own))
    databricks.watching = lambda run: run.lose_cluster(SPOT_LOST)
    assert reclaimed.run() == "retry"
    databricks.watching = lambda run: None
    reclaimed.make = lambda: submit(["sh", "-c", "exit 3"], **own)
    assert reclaimed.run() == "retry"
    reclaimed.make = lambda: submit(**own)
    assert reclaimed.run() == "success"
    assert availabilities(databricks) == [SPOT, SPOT, ON_DEMAND]
    assert [one["idempotency_token"] for one in databricks.requests("submit")] == ["t", "t-2", "t-3"]
    assert reclaimed.causes == ["spot_interruption", "application", None]
    assert reclaimed.charges == ["system", "user", None]
    assert reclaimed.capacities == ["spot", "spot", "on-demand"]
    assert reclaimed.record.where["launched_job"] == "300"


def test_no_capacity_leads_to_on_demand(attempts: Any, databricks: Databricks) -> None:
    short = attempts(lambda: submit(FOR_EVER, cluster={"aws_attributes": {"availability": "SPOT"}}))
    databricks.watching = lambda run: run.lose_cluster(STOCKOUT)
    assert short.run() == "retry"
    databricks.watching = lambda run: None
    short.make = submit
    assert short.run() == "success"
    assert availabilities(databricks) == ["SPOT", ON_DEMAND]
    assert short.causes == ["no_capacity", None]


@pytest.mark.parametrize(
    "end",
    [
        lambda run: run.cancel(),
        lambda run: run.time_out(),
        lambda run: run.lose_cluster({"code": "DRIVER_OUT_OF_MEMORY", "type": "CLIENT_ERROR"}),
        lambda run: run.lose_cluster({"code": "DOCKER_IMAGE_PULL_FAILURE", "type": "CLIENT_ERROR"}),
        lambda run: run.lose_cluster(SHUT_DOWN),
    ],
    ids=["cancelled", "own-timeout", "memory", "image", "driver-that-was-on-demand"],
)
def test_what_the_author_pays(attempts: Any, databricks: Databricks, end: Any) -> None:
    """The driver is on demand unless ``first_on_demand`` is 0, though the run was asked for on spot."""
    ended = attempts(lambda: submit(FOR_EVER))
    databricks.watching = end
    assert ended.run() == "retry"
    assert ended.charges == ["user"]


def test_a_driver_that_was_asked_for_on_spot(attempts: Any, databricks: Databricks) -> None:
    cluster = {"aws_attributes": {"availability": "SPOT", "first_on_demand": 0}}
    lost = attempts(lambda: submit(FOR_EVER, cluster=cluster))
    databricks.watching = lambda run: run.lose_cluster(SHUT_DOWN)
    assert lost.run() == "retry"
    assert lost.causes == ["spot_interruption"]


def test_a_signal_cancels_the_run(attempts: Any, databricks: Databricks) -> None:
    told = attempts(lambda: submit(FOR_EVER))
    databricks.watching = lambda run: os.kill(os.getpid(), signal.SIGTERM)
    assert told.run() == "retry"
    assert isinstance(told.errors[0], Interrupted)
    assert [run.result for run in databricks.runs.values()] == ["CANCELED"]


def until(flag: Path) -> list[str]:
    return ["sh", "-c", f"while [ ! -e {flag} ]; do sleep 0.05; done"]


@pytest.mark.parametrize("own", [{}, {"durable": False}, {"deferrable": True}], ids=str)
def test_a_run_that_outlives_its_worker_is_gone_on_with(
    attempts: Any, databricks: Databricks, killer: Any, flag: Path, own: dict[str, Any]
) -> None:
    lost = attempts(lambda: submit(until(flag), **own))
    assert lost.run() == "killed"
    killer.armed = False
    seen: list[Any] = []

    def watch(run: Any) -> None:
        seen.append(run)
        if len(seen) > 4:
            flag.touch()

    databricks.watching = watch
    assert lost.run() == "success"
    assert len(databricks.runs) == 1
    assert lost.causes == ["infrastructure", None]
    assert lost.capacities == ["spot", "spot"]
    assert "goes on with Databricks run 100" in (lost.record.reason or "")


@pytest.mark.parametrize("durable", [True, False])
def test_on_the_last_user_attempt_work_on_spot_is_ended_first(
    attempts: Any, databricks: Databricks, killer: Any, durable: bool
) -> None:
    """The operator as it is, which is durable, goes on with the spot run."""
    lost = attempts(lambda: submit(FOR_EVER, retries=1, durable=durable))
    assert lost.run() == "killed"
    killer.armed, lost.make = False, lambda: submit(retries=0, durable=durable)
    assert lost.run() == "success"
    assert [run.result for run in databricks.runs.values()] == ["CANCELED", ""]
    assert availabilities(databricks) == [SPOT, ON_DEMAND]


def test_what_the_history_has_lost_is_found_where_the_operator_keeps_it(
    attempts: Any, databricks: Databricks, killer: Any
) -> None:
    lost = attempts(lambda: submit(FOR_EVER, retries=0, system_retries=0, interruptible=False))
    assert lost.run() == "killed"
    for key in [key for key in lost.store.values if "databricks" not in key]:
        del lost.store.values[key]
    killer.armed = False
    databricks.watching = lambda run: run.time_out()
    assert lost.run() == "failed"
    assert len(databricks.runs) == 1


def test_a_reclaim_that_nobody_saw_is_found_out(attempts: Any, databricks: Databricks, killer: Any) -> None:
    lost = attempts(lambda: submit(FOR_EVER))
    assert lost.run() == "killed"
    databricks.runs[100].lose_cluster(SPOT_LOST)
    killer.armed, lost.make = False, submit
    assert lost.run() == "success"
    assert lost.causes == ["spot_interruption", None]


ELSEWHERE = {"new_cluster": None, "existing_cluster_id": "c"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (ELSEWHERE, "existing_cluster_id='c' and an interruptible task contradict"),
        ({"new_cluster": None, "json": {"environments": []}}, "needs a new cluster"),
        ({"cluster": {"instance_pool_id": "p"}}, "instance_pool_id='p'"),
        ({"cluster": {"aws_attributes": {"availability": "ON_DEMAND"}}}, "availability='ON_DEMAND'"),
        ({"cluster": {"node_type_id": "large"}}, "on which cloud"),
        ({"new_cluster": None, "tasks": [{"new_cluster": CLUSTER, "max_retries": 1}]}, "max_retries=1"),
        ({"wait_for_termination": False}, "nobody would see"),
        ({"compute": {"name": "databricks", "cloud": "moon"}}, "one of aws, azure, gcp"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_contradictions_are_refused_when_the_dag_is_parsed(attempts: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempts(lambda: submit(**arguments)).parsed()


def test_mapped_tasks(attempts: Any) -> None:
    operator = interruptible(DatabricksSubmitRunOperator)
    given = {"task_id": "work", "interruptible": True, "spark_python_task": {"python_file": "f"}}
    pinned = {**CLUSTER, "aws_attributes": {"availability": "ON_DEMAND"}}
    attempts(lambda: operator.partial(**given).expand(new_cluster=[CLUSTER, CLUSTER])).parsed()
    attempts(lambda: operator.partial(new_cluster=CLUSTER, **given).expand(run_name=["a", "b"])).parsed()
    with pytest.raises(ConfigurationError, match="availability='ON_DEMAND'"):
        attempts(lambda: operator.partial(**given).expand(new_cluster=[CLUSTER, pinned])).parsed()
    with pytest.raises(ConfigurationError, match="needs a new cluster"):
        attempts(lambda: operator.partial(**given).expand(run_name=["a", "b"])).parsed()


def test_a_template_that_contradicts_is_a_clear_failure(attempts: Any, databricks: Databricks) -> None:
    attributes = {"availability": "{{ 'ON_' + 'DEMAND' }}"}
    templated = attempts(lambda: submit(cluster={"aws_attributes": attributes}))
    assert templated.run() == "failed"
    assert "availability='ON_DEMAND'" in str(templated.errors[0])
    assert databricks.runs == {}


def test_the_text_of_a_template_is_placed_too(attempts: Any, databricks: Databricks) -> None:
    request = (
        "{'new_cluster': " + repr(CLUSTER) + ", 'spark_python_task': {'parameters': ['true'], 'python_file': 'f'}}"
    )
    template = "{% if true %}" + request + "{% endif %}"
    text = attempts(lambda: submit(new_cluster=None, spark_python_task=None, json=template))
    assert text.run() == "success"
    assert availabilities(databricks) == [SPOT]


def test_an_adopted_task_that_contradicts_stays_where_it_is(
    attempts: Any, databricks: Databricks, warnings_of: Any
) -> None:
    own = {"interruptible": None, "cluster": {"aws_attributes": {"availability": "ON_DEMAND"}}}
    adopted = attempts(lambda: submit(**own), {"default_args": {"interruptible": True}})
    assert adopted.run() == "success"
    assert availabilities(databricks) == ["ON_DEMAND"]
    assert adopted.capacities == ["on-demand"]
    assert sum("goes where its author sends it" in text for text in warnings_of()) == 2  # parsed, and run
