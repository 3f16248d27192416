# SPDX-License-Identifier: Apache-2.0
"""``@task.interruptible`` as Airflow has registered it, and ``@interruptible`` above every other decorator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, TaskGroup, setup, task, teardown

from airflow_interruptible import interruptible
from airflow_interruptible.decorators.interruptible import InterruptibleTask, interruptible_task
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.operators.interruptible import InterruptibleMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def dag() -> Iterator[DAG]:
    with DAG("dag", schedule=None, default_args={"retries": 2}) as dag:
        yield dag


def test_airflow_has_registered_it() -> None:
    assert task.interruptible is interruptible_task


def test_the_example_of_the_readme(dag: DAG) -> None:
    @task.interruptible(interruptible=True)
    def preprocess() -> str:
        return "data"

    @task.interruptible(interruptible=False)
    def save(results: str) -> None: ...

    save(preprocess())
    save.override(task_id="again", interruptible=True)(preprocess())
    assert {t.task_id: t.interruptible for t in dag.tasks} == {
        "preprocess": True,
        "save": False,
        "preprocess__1": True,
        "again": True,
    }
    assert dag.get_task("preprocess").downstream_task_ids == {"save"}


def test_it_is_a_taskflow_task_like_any_other(dag: DAG) -> None:
    @task.interruptible(interruptible=True, multiple_outputs=True)
    def split() -> dict[str, int]:
        return {"a": 1}

    @task.interruptible
    def use(a: Any) -> None: ...

    use(split()["a"])
    assert dag.get_task("use").upstream_task_ids == {"split"}
    assert dag.get_task("split").multiple_outputs


@pytest.mark.parametrize(
    ("outer", "inner", "own", "override", "applies"),
    [
        (None, None, None, None, True),
        (True, None, None, None, True),
        (True, False, None, None, False),
        (False, True, None, None, True),
        (True, True, False, None, False),
        (False, False, True, None, True),
        (True, True, True, False, False),
        (False, False, False, True, True),
    ],
)
def test_the_most_specific_level_wins(
    outer: bool | None, inner: bool | None, own: bool | None, override: bool | None, applies: bool
) -> None:
    def says(value: bool | None) -> dict[str, Any]:
        return {} if value is None else {"interruptible": value}

    with DAG("d", schedule=None, default_args=says(outer)) as dag, TaskGroup("g", default_args=says(inner)):

        @task.interruptible(**says(own))
        def work() -> None: ...

        work.override(interruptible=override)()
    assert dag.get_task("g.work").interruptible is applies


def test_override_with_none_keeps_the_task_s_own_value() -> None:
    @task.interruptible(interruptible=True)
    def work() -> None: ...

    assert work.override(interruptible=None)().operator.interruptible


def test_override_keeps_what_it_does_not_name() -> None:
    @task.interruptible(interruptible=True, system_retries=7, retries=1)
    def work() -> None: ...

    made = work.override(retries=4)().operator
    assert (made.user_retries, made.system_retries, made.interruptible) == (4, 7, True)


@pytest.mark.parametrize("wrong", ["true", 1, 0, [], {}])
@pytest.mark.parametrize("how", ["argument", "override", "mapped"])
def test_a_wrong_value_is_refused_at_parse_time(wrong: Any, how: str) -> None:
    @task.interruptible(**({"interruptible": wrong} if how != "override" else {}))
    def work(x: int) -> None: ...

    uses: dict[str, Callable[[], object]] = {
        "argument": lambda: work(1),
        "override": lambda: work.override(interruptible=wrong)(1),
        "mapped": lambda: work.expand(x=[1]),
    }
    with pytest.raises(TypeError, match="interruptible must be True, False or None") as raised:
        uses[how]()
    what, why, way_out = str(raised.value).split(". ", 2)
    assert repr(wrong) in what
    assert "without guessing" in why
    assert "Write True for spot, False for on-demand" in way_out


def test_other_wrong_values_are_refused_too() -> None:
    @task.interruptible(system_retries=-1)
    def work() -> None: ...

    with pytest.raises(ConfigurationError, match="system_retries must be an int >= 0, got -1"):
        work()


# -- mapping


@pytest.mark.parametrize("form", ["expand", "partial", "expand_kwargs"])
def test_mapping(dag: DAG, form: str) -> None:
    @task.interruptible(interruptible=True, retries=1, system_retries=4)
    def work(a: int, b: int) -> int:
        return a + b

    if form == "expand":
        work.expand(a=[1, 2], b=[3])
    elif form == "partial":
        work.partial(b=3).expand(a=[1, 2])
    else:
        work.expand_kwargs([{"a": 1, "b": 3}])
    mapped = dag.get_task("work")
    assert mapped.retries == 5
    unmapped = mapped.unmap({"op_kwargs": {"a": 1, "b": 3}})
    assert isinstance(unmapped, InterruptibleMixin)
    assert (unmapped.interruptible, unmapped.user_retries, unmapped.system_retries) == (True, 1, 4)
    assert unmapped.python_callable(1, 3) == 4


def test_mapping_over_another_task(dag: DAG) -> None:
    @task.interruptible
    def numbers() -> list[int]:
        return [1]

    @task.interruptible
    def work(x: int) -> None: ...

    work.expand(x=numbers())
    assert dag.get_task("work").upstream_task_ids == {"numbers"}


def test_mapping_after_override(dag: DAG) -> None:
    @task.interruptible(interruptible=False)
    def work(x: int) -> None: ...

    work.override(interruptible=True, retries=6).expand(x=[1])
    assert dag.get_task("work").retries == 9
    assert dag.get_task("work").unmap({"op_kwargs": {"x": 1}}).interruptible


# -- above other decorators


DECORATORS: dict[str, dict[str, Any]] = {
    "bash": {},
    "branch": {},
    "short_circuit": {},
    "sensor": {},
    "virtualenv": {"requirements": []},
    "external_python": {"python": "/usr/bin/python3"},
    "branch_virtualenv": {"requirements": []},
    "kubernetes": {"image": "python"},
}


@pytest.mark.parametrize("name", DECORATORS)
def test_above_another_decorator(name: str) -> None:
    def work() -> str:
        return "x"

    decorator = getattr(task, name)
    stock = decorator(**DECORATORS[name])(work)
    annotated = interruptible(decorator(**DECORATORS[name])(work))
    assert isinstance(annotated, InterruptibleTask)
    made = annotated.override(interruptible=True)().operator
    assert issubclass(type(made), stock.operator_class)
    assert made.operator_name == f"@task.{name}"
    assert (made.interruptible, made.retries) == (True, 5)


def test_it_keeps_the_arguments_of_the_other_decorator() -> None:
    @interruptible
    @task.bash(env={"A": "b"}, retries=1)
    def work() -> str:
        return "x"

    made = work().operator
    assert (made.env, made.user_retries) == ({"A": "b"}, 1)


@pytest.mark.parametrize(("decorator", "flag"), [(setup, "is_setup"), (teardown, "is_teardown")])
def test_setup_and_teardown_work_in_both_orders(decorator: Any, flag: str) -> None:
    @decorator
    @task.interruptible
    def outside() -> None: ...

    @interruptible
    @decorator
    def inside() -> None: ...

    assert getattr(outside().operator, flag)
    assert getattr(inside().operator, flag)


def test_annotating_twice_is_annotating_once() -> None:
    @interruptible
    @task.interruptible(interruptible=True)
    def work() -> None: ...

    made = work().operator
    assert (made.interruptible, made.retries) == (True, 5)
