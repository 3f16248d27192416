# SPDX-License-Identifier: Apache-2.0
"""A Dag of stock operators, parsed as every Airflow process parses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, TaskGroup, setup, task, teardown

from airflow_interruptible import interruptible
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.operators.interruptible import InterruptibleMixin
from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

YES: dict[str, Any] = {"interruptible": True, "retries": 2}
QUEUES = {"compute": "queue", "compute_options": '{"spot": "cheap", "on_demand": "safe"}'}

STOCK: dict[str, Callable[..., Any]] = {
    "empty": EmptyOperator,
    "bash": lambda **k: BashOperator(bash_command="true", **k),
    "python": lambda **k: PythonOperator(python_callable=print, **k),
    "branch": lambda **k: BranchPythonOperator(python_callable=print, **k),
    "short": lambda **k: ShortCircuitOperator(python_callable=print, **k),
    "sensor": lambda **k: PythonSensor(python_callable=bool, **k),
    "reschedule": lambda **k: PythonSensor(python_callable=bool, mode="reschedule", **k),
    "file": lambda **k: FileSensor(filepath="x", **k),
}


@pytest.mark.parametrize("name", STOCK)
def test_a_stock_operator_is_adopted(parse: Callable[[DAG], DAG], name: str) -> None:
    with DAG("d", schedule=None, default_args=YES) as dag:
        built = STOCK[name](task_id="t")
    stock = type(built)
    adopted = parse(dag).get_task("t")
    assert type(adopted) is interruptible(stock)
    assert isinstance(adopted, stock)
    assert adopted.interruptible
    assert (adopted.retries, adopted.user_retries) == (5, 2)
    assert isinstance(adopted.retry_policy, InterruptibleRetryPolicy)
    assert adopted.task_type == stock.__name__
    assert adopted.operator_name == getattr(stock, "custom_operator_name", stock.__name__)


@pytest.mark.parametrize("name", STOCK)
@pytest.mark.parametrize("default_args", [{}, {"interruptible": None}, {"system_retries": 9}])
def test_a_stock_operator_that_nobody_mentions_is_not(
    parse: Callable[[DAG], DAG], name: str, default_args: dict[str, Any]
) -> None:
    with DAG("d", schedule=None, default_args=default_args) as dag:
        built = STOCK[name](task_id="t")
    before = (type(built), built.retries, built.retry_policy, built.executor_config, built.queue)
    after = parse(dag).get_task("t")
    assert (type(after), after.retries, after.retry_policy, after.executor_config, after.queue) == before


def test_taskflow_tasks_are_adopted_too(parse: Callable[[DAG], DAG]) -> None:
    with DAG("d", schedule=None, default_args=YES) as dag:

        @task
        def plain() -> None: ...

        @task.bash
        def bash() -> str:
            return "true"

        @task
        def mapped(x: int) -> None: ...

        plain()
        bash()
        mapped.expand(x=[1, 2])

    parse(dag)
    assert isinstance(dag.get_task("plain"), InterruptibleMixin)
    assert dag.get_task("plain").operator_name == "@task"
    assert dag.get_task("bash").operator_name == "@task.bash"
    assert issubclass(dag.get_task("mapped").operator_class, InterruptibleMixin)
    assert dag.get_task("mapped").retries == 5


def test_mapped_tasks_are_adopted_too(parse: Callable[[DAG], DAG]) -> None:
    with DAG("d", schedule=None, default_args=YES) as dag:
        BashOperator.partial(task_id="m").expand(bash_command=["a", "b"])
        PythonSensor.partial(task_id="s", mode="reschedule").expand(python_callable=[bool])
    parse(dag)
    for task_id in ("m", "s"):
        mapped = dag.get_task(task_id)
        assert issubclass(mapped.operator_class, InterruptibleMixin)
        assert mapped.retries == 5
    unmapped = dag.get_task("m").unmap({"bash_command": "a"})
    assert isinstance(unmapped, InterruptibleMixin)
    assert (unmapped.interruptible, unmapped.retries, unmapped.bash_command) == (True, 5, "a")


def test_parsing_in_a_worker_gives_the_same_operator(parse: Callable[[DAG], DAG]) -> None:
    def parsed() -> Any:
        with DAG("d", schedule=None, default_args=YES) as dag:
            BashOperator(task_id="t", bash_command="true")
        return parse(dag).get_task("t")

    in_the_processor, in_the_worker = parsed(), parsed()
    assert type(in_the_processor) is type(in_the_worker)
    assert in_the_processor.executor_config == in_the_worker.executor_config


def test_parsing_a_dag_twice_changes_nothing(parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> None:
    configure(**QUEUES)
    with DAG("d", schedule=None, default_args=YES) as dag:
        BashOperator(task_id="t", bash_command="true")
        BashOperator.partial(task_id="m").expand(bash_command=["a"])

    def state() -> Any:
        return [(t.retries, t.queue, t.executor_config, t.retry_policy) for t in parse(dag).tasks]

    assert state() == state()


# -- levels


def test_a_group_may_want_it_and_another_may_not(parse: Callable[[DAG], DAG]) -> None:
    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="outside")
        with TaskGroup("wants", default_args=YES):
            EmptyOperator(task_id="t")
            with TaskGroup("inner"):
                EmptyOperator(task_id="t")
            with TaskGroup("refuses", default_args={"interruptible": False}):
                EmptyOperator(task_id="t")
    parse(dag)
    adopted = {task.task_id: task.interruptible for task in dag.tasks if isinstance(task, InterruptibleMixin)}
    assert adopted == {"wants.t": True, "wants.inner.t": True, "wants.refuses.t": False}


@pytest.mark.parametrize("name", STOCK)
def test_a_stock_operator_whose_dag_says_no_has_both_budgets(parse: Callable[[DAG], DAG], name: str) -> None:
    with DAG("d", schedule=None, default_args={**YES, "interruptible": False}) as dag:
        built = STOCK[name](task_id="t")
    stock = type(built)
    adopted = parse(dag).get_task("t")
    assert type(adopted) is interruptible(stock)
    assert (adopted.interruptible, adopted.retries, adopted.user_retries) == (False, 5, 2)


def test_a_group_may_refuse_what_the_dag_wants(parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> None:
    configure(**QUEUES)
    with DAG("d", schedule=None, default_args=YES) as dag:
        EmptyOperator(task_id="a")
        with TaskGroup("g", default_args={"interruptible": False}):
            EmptyOperator(task_id="b")
    parse(dag)
    assert (dag.get_task("a").queue, dag.get_task("g.b").queue) == ("cheap", "safe")
    assert dag.get_task("g.b").retries == 5


def test_airflow_cfg_may_want_every_dag(parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> None:
    configure(default="True")
    with DAG("a", schedule=None) as plain:
        EmptyOperator(task_id="t", retries=1)
    with DAG("b", schedule=None, default_args={"interruptible": False}) as refusing:
        EmptyOperator(task_id="t")
    adopted = parse(plain).get_task("t")
    assert isinstance(adopted, InterruptibleMixin)
    assert (adopted.interruptible, adopted.retries) == (True, 4)
    assert not parse(refusing).get_task("t").interruptible


def test_airflow_shows_no_import_error_for_what_only_airflow_cfg_says(
    tmp_path: Any, configure: Callable[..., None]
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    configure(default="True", **QUEUES)
    file = tmp_path / "dag.py"
    file.write_text(
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.operators.bash import BashOperator\n"
        "with DAG('d', schedule=None):\n"
        "    BashOperator(task_id='a', bash_command='true', queue='gpu', retries=1)\n"
        "    BashOperator(task_id='b', bash_command='true', retries=1)\n"
    )
    bag = DagBag(dag_folder=file, collect_dags=False)
    bag.process_file(str(file))
    assert bag.import_errors == {}
    assert [bag.dags["d"].get_task(name).queue for name in "ab"] == ["gpu", "cheap"]


def test_a_task_may_refuse_what_the_dag_wants(parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> None:
    """Only an annotated task can speak for itself: Airflow refuses unknown arguments of stock ones."""
    configure(**QUEUES)
    with DAG("d", schedule=None, default_args=YES) as dag:
        interruptible(EmptyOperator)(task_id="no", interruptible=False)
        EmptyOperator(task_id="yes")
    parse(dag)
    assert (dag.get_task("no").queue, dag.get_task("yes").queue) == ("safe", "cheap")


def test_setup_and_teardown(parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> None:
    configure(**QUEUES)
    with DAG("d", schedule=None, default_args=YES) as dag:

        @setup
        def create() -> None: ...

        @teardown
        def delete() -> None: ...

        work = EmptyOperator(task_id="work")
        end = EmptyOperator(task_id="end").as_teardown()
        create() >> work >> [delete(), end]
    parse(dag)
    assert {t.task_id: (t.interruptible, t.queue) for t in dag.tasks} == {
        "create": (True, "cheap"),
        "work": (True, "cheap"),
        "delete": (False, "safe"),
        "end": (False, "safe"),
    }
    assert dag.get_task("delete").is_teardown
    assert dag.get_task("create").is_setup


# -- what is refused


def test_a_queue_that_contradicts_is_refused(parse: Callable[[DAG], DAG], configure: Callable[..., None]) -> None:
    configure(**QUEUES)
    with DAG("d", schedule=None, default_args=YES) as dag:
        EmptyOperator(task_id="t", queue="gpu")
    with pytest.raises(ConfigurationError, match="queue='gpu'"):
        parse(dag)


def test_a_queue_of_a_task_that_is_not_interruptible_is_its_own_business(
    parse: Callable[[DAG], DAG], configure: Callable[..., None]
) -> None:
    configure(**QUEUES)
    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="t", queue="gpu")
    assert parse(dag).get_task("t").queue == "gpu"


@pytest.mark.parametrize("where", ["dag", "group"])
def test_a_value_that_cannot_be_meant_is_refused(parse: Callable[[DAG], DAG], where: str) -> None:
    says = {"interruptible": "true"}
    in_dag, in_group = (says, {}) if where == "dag" else ({}, says)
    with DAG("d", schedule=None, default_args=in_dag) as dag, TaskGroup("g", default_args=in_group):
        EmptyOperator(task_id="t")
    with pytest.raises(TypeError, match="default_args says 'true' \\(str\\)"):
        parse(dag)


def test_airflow_shows_a_refusal_as_the_dag_s_import_error(tmp_path: Any) -> None:
    from airflow.dag_processing.dagbag import DagBag

    file = tmp_path / "dag.py"
    file.write_text(
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        "with DAG('d', schedule=None, default_args={'interruptible': 'maybe'}):\n"
        "    EmptyOperator(task_id='t')\n"
    )
    bag = DagBag(dag_folder=file, collect_dags=False)
    bag.process_file(str(file))
    assert bag.dags == {}
    (error,) = bag.import_errors.values()
    assert "the Dag's default_args says 'maybe'" in error
    assert "Write True for spot" in error


# -- running


def test_an_adopted_task_still_does_its_work(parse: Callable[[DAG], DAG]) -> None:
    done: list[int] = []
    with DAG("d", schedule=None, default_args=YES) as dag:
        PythonOperator(task_id="t", python_callable=done.append, op_args=[1])
    adopted = parse(dag).get_task("t").prepare_for_execution()
    assert adopted.python_callable == done.append
    assert adopted.op_args == [1]
    assert adopted.interruptible
