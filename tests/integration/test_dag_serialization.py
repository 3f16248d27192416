# SPDX-License-Identifier: Apache-2.0
"""What the scheduler and the API server see of a Dag: what survives serialisation."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, TaskGroup, task
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.serialization.serialized_objects import DagSerialization

from airflow_interruptible import interruptible, unless_forgiven
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.marker import KEY, Marker
from airflow_interruptible.policies import adoption

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def round_trip(dag: DAG) -> Any:
    """Serialise, write as JSON, read, deserialise: what the server gets."""
    return DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))


def marker(serialized: Any) -> Marker:
    found = Marker.from_config(serialized.executor_config)
    assert found is not None
    return found


@pytest.fixture
def dag(parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> DAG:
    configure(compute="queue", compute_options='{"spot": "cheap", "on_demand": "safe"}')
    with DAG("d", schedule=None, default_args={"interruptible": True, "retries": 2, "system_retries": 1}) as dag:
        interruptible(BashOperator)(task_id="annotated", bash_command="true", retries=5)
        BashOperator(task_id="adopted", bash_command="true")
        BashOperator.partial(task_id="adopted_mapped").expand(bash_command=["a", "b"])
        interruptible(BashOperator).partial(task_id="annotated_mapped", retries=4).expand(bash_command=["a"])

        @task.interruptible(interruptible=False)
        def decorated() -> None: ...

        @task.interruptible(retries=0)
        def decorated_mapped(x: int) -> None: ...

        decorated()
        decorated_mapped.expand(x=[1, 2])
    return parse(dag)


@pytest.mark.parametrize(
    ("task_id", "budget", "capacity"),
    [
        ("annotated", Budget(5, 1), SPOT),
        ("adopted", Budget(2, 1), SPOT),
        ("adopted_mapped", Budget(2, 1), SPOT),
        ("annotated_mapped", Budget(4, 1), SPOT),
        ("decorated", Budget(2, 1), ON_DEMAND),
        ("decorated_mapped", Budget(0, 1), ON_DEMAND),
    ],
)
def test_the_server_sees_both_budgets_and_the_place(
    dag: DAG, task_id: str, budget: Budget, capacity: CapacityType
) -> None:
    serialized = round_trip(dag).get_task(task_id)
    assert serialized.retries == budget.user_retries + budget.system_retries
    assert serialized.queue == {SPOT: "cheap", ON_DEMAND: "safe"}[capacity]
    assert (marker(serialized).budget, marker(serialized).capacity) == (budget, capacity)
    assert serialized.has_retry_policy


def test_every_instance_of_a_mapped_task_carries_the_marker(dag: DAG) -> None:
    """The server makes the rows of a mapped task from the serialised one."""
    from airflow.models.taskinstance import TaskInstance

    serialized = round_trip(dag).get_task("adopted_mapped")
    run = SimpleNamespace(context_carrier=None)
    row = TaskInstance.insert_mapping("run", serialized, map_index=1, dag_version_id=None, dag_run=run)
    assert Marker.from_config(row["executor_config"]) == marker(serialized)
    assert (row["max_tries"], row["queue"]) == (3, "cheap")


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("annotated", "BashOperator"),
        ("adopted", "BashOperator"),
        ("adopted_mapped", "BashOperator"),
        ("decorated", "@task.interruptible"),
        ("decorated_mapped", "@task.interruptible"),
    ],
)
def test_the_ui_shows_the_operator_that_people_know(dag: DAG, task_id: str, name: str) -> None:
    assert round_trip(dag).get_task(task_id).operator_name == name


def test_adoption_changes_nothing_that_the_server_reads_besides(parse: Callable[[DAG], DAG]) -> None:
    """The task's type, module, fields and templates stay as they were."""

    def serialized(*, wanted: bool) -> dict[str, Any]:
        with DAG("d", schedule=None, default_args={"interruptible": wanted, "retries": 1}) as dag:
            BashOperator(task_id="t", bash_command="echo {{ ds }}", pool="p", env={"A": "b"})
        task: dict[str, Any] = DagSerialization.to_dict(parse(dag))["dag"]["tasks"][0]["__var"]
        return task

    stock, adopted = serialized(wanted=False), serialized(wanted=True)
    ours = {"executor_config", "retries", "has_retry_policy"}
    assert {key: value for key, value in adopted.items() if key not in ours} == {
        key: value for key, value in stock.items() if key not in ours
    }
    assert set(adopted) - set(stock) <= ours


def test_a_dag_that_never_heard_of_us_is_the_same_to_the_byte(
    parse: Callable[[DAG], DAG], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> DAG:
        with DAG("d", schedule=None, default_args={"retries": 1, "owner": "me"}) as dag:
            with TaskGroup("g", default_args={"pool": "p"}):
                EmptyOperator(task_id="a") >> BashOperator(task_id="b", bash_command="true")
            PythonSensor(task_id="s", python_callable=bool)
            BashOperator.partial(task_id="m").expand(bash_command=["a", "b"])

            @task
            def decorated() -> None: ...

            decorated()
        return dag

    with_us = json.dumps(DagSerialization.to_dict(parse(build())))
    monkeypatch.setattr(adoption, "apply", lambda _: None)
    assert with_us == json.dumps(DagSerialization.to_dict(parse(build())))
    assert f'"{KEY}"' not in with_us


class Pager(BaseNotifier):
    def notify(self, context: Any) -> None: ...


def save(context: Any, notice: Any) -> None: ...


@pytest.mark.parametrize("mapped", [False, True], ids=["plain", "mapped"])
def test_callbacks_of_every_kind_survive_and_say_nothing_of_this_process(
    parse: Callable[[DAG], DAG], mapped: bool
) -> None:
    """An address in memory would make a new version of the Dag at every parse."""
    said = {"on_interruption_callback": [save, Pager()], "on_retry_callback": unless_forgiven(Pager())}
    with DAG("d", schedule=None, default_args={"interruptible": True, **said}) as dag:
        if mapped:
            interruptible(BashOperator).partial(task_id="work", **said).expand(bash_command=["true"])
        else:
            interruptible(BashOperator)(task_id="work", bash_command="true", **said)
    document = json.dumps(DagSerialization.to_dict(parse(dag)))
    assert " at 0x" not in document
    serialized = DagSerialization.from_dict(json.loads(document)).get_task("work")
    assert serialized.has_on_retry_callback
    assert marker(serialized).interruptible
