# SPDX-License-Identifier: Apache-2.0
"""The decorator itself; as ``@task.interruptible`` it is tested where Airflow has registered it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.bases.decorator import _TaskDecorator

from airflow_interruptible.decorators.interruptible import (
    InterruptiblePythonOperator,
    InterruptibleTask,
    interruptible_task,
    interruptible_taskflow,
)
from airflow_interruptible.operators.interruptible import InterruptibleMixin

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def dag() -> Iterator[DAG]:
    with DAG("dag", schedule=None, default_args={"interruptible": True, "retries": 2}) as dag:
        yield dag


def operator(result: Any) -> Any:
    return result.operator


def test_bare_and_with_arguments() -> None:
    @interruptible_task
    def bare() -> None: ...

    @interruptible_task(retries=1, interruptible=False)
    def arguments() -> None: ...

    assert isinstance(bare, InterruptibleTask)
    assert isinstance(arguments, InterruptibleTask)
    assert operator(bare()).interruptible
    assert (operator(arguments()).interruptible, operator(arguments()).user_retries) == (False, 1)


def test_the_operator_keeps_its_name_in_the_ui() -> None:
    @interruptible_task
    def work() -> None: ...

    made = operator(work())
    assert isinstance(made, InterruptiblePythonOperator)
    assert made.operator_name == "@task.interruptible"


def test_the_function_can_still_be_called() -> None:
    @interruptible_task
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    assert add.function(1, 2) == 3
    assert add.__doc__ == "Add."
    assert add.__name__ == "add"


@pytest.mark.parametrize("given", [None, True, False])
def test_multiple_outputs_is_kept(given: bool | None) -> None:
    @interruptible_task(multiple_outputs=given)
    def work() -> dict[str, int]: ...

    @task(multiple_outputs=given)
    def stock() -> dict[str, int]: ...

    assert operator(work()).multiple_outputs is operator(stock()).multiple_outputs


@pytest.mark.parametrize("flag", ["is_setup", "is_teardown", "on_failure_fail_dagrun", "returns_dag_result"])
def test_flags_are_kept(flag: str) -> None:
    @task
    def work() -> None: ...

    setattr(work, flag, True)
    annotated = interruptible_taskflow(work)
    assert getattr(annotated, flag) is True
    assert getattr(annotated.override(task_id="other"), flag) is True


def test_every_attribute_of_airflow_s_task_is_carried_over() -> None:
    """A new attribute of Airflow's must be looked at, or it is lost."""
    import attrs

    known = {
        *("function", "operator_class", "multiple_outputs", "kwargs", "decorator_name", "__wrapped__"),
        *("is_setup", "is_teardown", "returns_dag_result", "on_failure_fail_dagrun"),
    }
    assert {field.name for field in attrs.fields(_TaskDecorator)} == known


def test_the_original_is_left_alone() -> None:
    @task(retries=1)
    def work() -> None: ...

    interruptible_taskflow(work)
    assert not issubclass(work.operator_class, InterruptibleMixin)
    assert operator(work()).retries == 1


# -- override


def test_override_changes_one_call() -> None:
    @interruptible_task(interruptible=True)
    def work() -> None: ...

    assert not operator(work.override(interruptible=False)()).interruptible
    assert operator(work()).interruptible


@pytest.mark.parametrize("own", [True, False])
def test_override_with_none_changes_nothing(own: bool) -> None:
    @interruptible_task(interruptible=own)
    def work() -> None: ...

    assert operator(work.override(interruptible=None, retries=7)()).interruptible is own
    assert operator(work.override(interruptible=None, retries=7)()).user_retries == 7


def test_override_again_and_again() -> None:
    @interruptible_task
    def work() -> None: ...

    twice = work.override(interruptible=False).override(retries=3)
    assert isinstance(twice, InterruptibleTask)
    assert (operator(twice()).interruptible, operator(twice()).user_retries) == (False, 3)


# -- mapped


@pytest.mark.parametrize("form", ["expand", "partial", "expand_kwargs", "override"])
def test_a_mapped_task_has_both_budgets(form: str) -> None:
    @interruptible_task(system_retries=4)
    def work(a: int, b: int = 0) -> None: ...

    mapped = operator(
        {
            "expand": lambda: work.expand(a=[1, 2]),
            "partial": lambda: work.partial(b=1).expand(a=[1, 2]),
            "expand_kwargs": lambda: work.expand_kwargs([{"a": 1}, {"a": 2}]),
            "override": lambda: work.override(retries=2).expand(a=[1, 2]),
        }[form]()
    )
    assert mapped.is_mapped
    assert mapped.retries == 6
    assert mapped.partial_kwargs["interruptible_user_retries"] == 2
    assert issubclass(mapped.operator_class, InterruptibleMixin)


def test_a_mapped_task_s_own_default_args_are_the_task_s() -> None:
    @interruptible_task(default_args={"interruptible": False, "system_retries": 1})
    def work(a: int) -> None: ...

    plain = operator(work(1))
    mapped = operator(work.expand(a=[1]))
    assert (plain.interruptible, plain.retries) == (False, 3)
    assert mapped.retries == 3
    unmapped = mapped.unmap({"op_kwargs": {"a": 1}})
    assert not unmapped.interruptible


@pytest.mark.parametrize("written", ["above", "below"])
def test_what_is_said_above_another_decorator_is_carried(written: str) -> None:
    """Airflow itself drops what is said above another decorator; here the task would look annotated and not be."""
    said: dict[str, Any] = {"interruptible": False, "retries": 2, "system_retries": 5}

    if written == "above":

        @interruptible_task(**said)
        @task.bash(env={"A": "1"})
        def work() -> str:
            return "true"

    else:

        @interruptible_taskflow
        @task.bash(env={"A": "1"}, **said)
        def work() -> str:
            return "true"

    built = operator(work())
    assert built.operator_name == "@task.bash"
    assert (built.interruptible, built.user_retries, built.system_retries) == (False, 2, 5)
    assert built.env == {"A": "1"}


def test_bare_above_another_decorator_it_annotates() -> None:
    @interruptible_task
    @task.bash(retries=1)
    def work() -> str:
        return "true"

    built = operator(work())
    assert (built.operator_name, built.interruptible, built.retries) == ("@task.bash", True, 4)
