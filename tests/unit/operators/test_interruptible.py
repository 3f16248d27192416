# SPDX-License-Identifier: Apache-2.0
"""The interruptible subclass of any operator."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, TaskGroup
from airflow.sdk.bases.operator import BaseOperatorMeta, ExecutorSafeguard

from airflow_interruptible import interruptible
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.exceptions import ConfigurationError, Interrupted
from airflow_interruptible.operators.interruptible import InterruptibleMixin, interruptible_class
from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Work(BaseOperator):
    """An operator that remembers what was done to it."""

    def __init__(self, *, size: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.log_of_calls: list[Any] = []

    def execute(self, context: Any) -> str:
        self.log_of_calls.append(("execute", context["ti"].try_number))
        return f"size {self.size}"

    def execute_complete(self, context: Any, event: Any = None) -> str:
        self.log_of_calls.append(("execute_complete", event))
        return "completed"

    def on_kill(self) -> None:
        self.log_of_calls.append("on_kill")


InterruptibleWork: Any = interruptible_class(Work)


@pytest.fixture(autouse=True)
def _outside_the_task_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``execute`` be called without Airflow's task runner, as Airflow's own tests do."""
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)


@pytest.fixture
def dag() -> Iterator[DAG]:
    with DAG("dag", schedule=None) as dag:
        yield dag


# -- the class


@pytest.mark.parametrize("operator", [EmptyOperator, BashOperator, PythonOperator, Work])
def test_it_looks_like_the_operator_it_is_made_from(operator: type[BaseOperator]) -> None:
    made = interruptible_class(operator)
    assert issubclass(made, operator)
    assert issubclass(made, InterruptibleMixin)
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(made, attribute) == getattr(operator, attribute)
    assert made.made_from is operator  # type: ignore[attr-defined]
    assert made.ui_color == operator.ui_color
    assert made.template_fields == operator.template_fields


def test_it_is_the_same_class_every_time() -> None:
    assert interruptible_class(Work) is InterruptibleWork
    assert interruptible_class(InterruptibleWork) is InterruptibleWork
    assert interruptible(Work) is InterruptibleWork


@pytest.mark.parametrize("wrong", [Work(task_id="x"), int, "BashOperator", None, lambda: None])
def test_anything_but_an_operator_class_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"takes an operator class or a TaskFlow task, got .*Write interruptible\(Bash"):
        interruptible(wrong)


def test_an_operator_with_a_metaclass_of_its_own() -> None:
    class Meta(BaseOperatorMeta):
        pass

    class Special(BaseOperator, metaclass=Meta):
        pass

    made = interruptible_class(Special)
    assert isinstance(made, Meta)
    assert made(task_id="t", retries=1).retries == 4


def test_an_abstract_operator_stays_abstract() -> None:
    class Base(BaseOperator, ABC):
        @abstractmethod
        def job(self) -> str: ...

    with pytest.raises(TypeError, match="abstract"):
        interruptible_class(Base)(task_id="t")  # type: ignore[type-abstract]


def test_a_subclass_of_an_interruptible_operator() -> None:
    class Mine(InterruptibleWork):  # type: ignore[misc]
        pass

    task = Mine(task_id="t", retries=1, size=3)
    assert task.retries == 4
    assert interruptible_class(Mine) is Mine


def test_a_nearer_operator_wins_over_the_mixin(dag: DAG) -> None:
    """Overrides of the operator itself stay in place."""
    task = InterruptibleWork(task_id="t", size=5)
    assert task.size == 5
    assert [kind.__name__ for kind in type(task).mro()[:4]] == ["Work", "InterruptibleMixin", "Work", "BaseOperator"]


# -- arguments


def test_airflow_s_retries_hold_both_budgets(dag: DAG) -> None:
    task = InterruptibleWork(task_id="t", retries=2, system_retries=4)
    assert task.retries == 6
    assert (task.user_retries, task.system_retries) == (2, 4)
    assert task.interruptible_annotation.budget == Budget(2, 4)


def test_nothing_said_is_the_default(dag: DAG, configure: Callable[..., None]) -> None:
    configure(system_retries="5", system_retry_delay="3")
    task = InterruptibleWork(task_id="t")
    assert (task.user_retries, task.system_retries, task.retries) == (0, 5, 5)
    assert task.interruptible_annotation.system_retry_delay == timedelta(seconds=3)
    assert task.interruptible, "who wrote the word, and nothing else, means it"


def test_arguments_come_from_default_args_too() -> None:
    said = {"retries": 1, "interruptible": True, "system_retries": 2, "system_retry_delay": 60, "compute": "none"}
    with DAG("d", schedule=None, default_args=said):
        task = InterruptibleWork(task_id="t")
    assert task.interruptible
    assert task.interruptible_annotation.interruptible is None, "the Dag says it, not the task"
    assert (task.user_retries, task.system_retries) == (1, 2)
    assert task.interruptible_annotation.system_retry_delay == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("config", "levels", "applies"),
    [
        # airflow.cfg, then the Dag, the TaskGroup, the task's default_args, the task's argument
        ("", (None, None, None, None), True),
        ("", (False, None, None, None), False),
        ("False", (None, None, None, None), False),
        ("True", (None, None, None, None), True),
        ("True", (False, None, None, None), False),
        ("False", (False, True, None, None), True),
        ("False", (True, False, None, None), False),
        ("False", (True, True, False, None), False),
        ("False", (False, False, True, None), True),
        ("False", (True, True, True, False), False),
        ("False", (False, False, False, True), True),
    ],
)
def test_the_most_specific_level_wins(
    configure: Callable[..., None], config: str, levels: tuple[bool | None, ...], applies: bool
) -> None:
    configure(default=config)
    dag, group, own_defaults, own = ({} if level is None else {"interruptible": level} for level in levels)
    with DAG("d", schedule=None, default_args=dag), TaskGroup("g", default_args=group):
        task = InterruptibleWork(task_id="t", default_args=own_defaults, **own)
    assert task.interruptible is applies


@pytest.mark.parametrize("level", [{"default_args": {"interruptible": True}}, {}])
def test_a_teardown_is_not_interruptible_unless_it_says_so(level: dict[str, Any]) -> None:
    with DAG("d", schedule=None, **level):
        assert not InterruptibleWork(task_id="t").as_teardown().interruptible
        assert InterruptibleWork(task_id="u", interruptible=True).as_teardown().interruptible


@pytest.mark.parametrize("wrong", ["false", 1, 0, []])
def test_an_interruptible_that_cannot_be_meant_is_refused_at_parse_time(dag: DAG, wrong: object) -> None:
    with pytest.raises(TypeError, match="interruptible must be True, False or None"):
        InterruptibleWork(task_id="t", interruptible=wrong)


def test_other_wrong_arguments_are_refused_at_parse_time(dag: DAG) -> None:
    with pytest.raises(ConfigurationError, match="system_retries must be"):
        InterruptibleWork(task_id="t", system_retries=-1)


def test_arguments_nobody_knows_are_refused_by_airflow(dag: DAG) -> None:
    with pytest.raises(TypeError, match="Invalid arguments"):
        InterruptibleWork(task_id="t", interruptable=True)


def test_the_author_s_policy_is_wrapped_and_nothing_else(dag: DAG) -> None:
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

    author = ExceptionRetryPolicy(rules=[])
    assert InterruptibleWork(task_id="a").retry_policy == InterruptibleRetryPolicy(None)
    assert InterruptibleWork(task_id="b", retry_policy=author).retry_policy == InterruptibleRetryPolicy(author)


def test_an_operator_s_own_attributes_stay_its_own(work: Any) -> None:
    class Trades(BaseOperator):
        def __init__(self, *, book: str, annotation: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.book, self.annotation, self._attempt = book, annotation, 7

        def execute(self, context: Any) -> Any:
            return self.book, self.annotation, self._attempt

    with DAG("dag", schedule=None):
        task = interruptible_class(Trades)(task_id="work", book="EQ", annotation="daily")
    assert task.execute(work.context) == ("EQ", "daily", 7)


# -- mapped tasks


def test_a_mapped_task_has_both_budgets_before_a_worker_sees_it(dag: DAG) -> None:
    mapped = InterruptibleWork.partial(task_id="t", retries=1, system_retries=2, interruptible=True).expand(size=[1, 2])
    assert mapped.retries == 3
    assert mapped.partial_kwargs["interruptible_user_retries"] == 1
    assert isinstance(mapped.retry_policy, InterruptibleRetryPolicy)


def test_the_worker_builds_the_same_task_from_it(dag: DAG) -> None:
    mapped = InterruptibleWork.partial(task_id="t", retries=1, system_retries=2, interruptible=True).expand(size=[1, 2])
    task = mapped.unmap({"size": 2})
    assert isinstance(task, InterruptibleWork)
    assert (task.user_retries, task.system_retries, task.retries, task.size) == (1, 2, 3, 2)
    assert task.interruptible
    assert isinstance(task.retry_policy, InterruptibleRetryPolicy)
    assert not isinstance(task.retry_policy.author, InterruptibleRetryPolicy)


def test_a_mapped_task_inherits_as_a_plain_one_does() -> None:
    said = {"retries": 1, "interruptible": True, "system_retries": 2, "system_retry_delay": 60}
    with DAG("d", schedule=None, default_args=said):
        mapped = InterruptibleWork.partial(task_id="t").expand(size=[1])
    task = mapped.unmap({"size": 1})
    assert mapped.retries == task.retries == 3
    assert task.interruptible
    assert task.interruptible_annotation.interruptible is None
    assert task.interruptible_annotation.system_retry_delay == timedelta(minutes=1)


def test_a_mapped_task_s_own_default_args_are_the_task_s() -> None:
    with DAG("d", schedule=None, default_args={"interruptible": True}):
        plain = InterruptibleWork(task_id="p", default_args={"interruptible": False, "system_retries": 7})
        mapped = InterruptibleWork.partial(
            task_id="m", default_args={"interruptible": False, "system_retries": 7}
        ).expand(size=[1])
    task = mapped.unmap({"size": 1})
    assert (plain.interruptible, plain.retries) == (False, 7)
    assert (task.interruptible, mapped.retries) == (False, 7)


def test_partial_is_of_classes_only(dag: DAG) -> None:
    with pytest.raises(TypeError):
        InterruptibleWork(task_id="t").partial(task_id="u")


@pytest.mark.filterwarnings("ignore:Task .* was never mapped")
def test_wrong_arguments_of_a_mapped_task_are_refused_at_parse_time(dag: DAG) -> None:
    with pytest.raises(ConfigurationError, match="system_retries must be"):
        InterruptibleWork.partial(task_id="t", system_retries="x")
    with pytest.raises(TypeError, match="interruptible must be"):
        InterruptibleWork.partial(task_id="u", interruptible="yes")


# -- running


@pytest.fixture
def work(bench: Any) -> Any:
    """A bench whose task is :class:`Work`."""
    bench = bench()
    with DAG("dag", schedule=None):
        bench.task = bench.ti.task = InterruptibleWork(task_id="work", interruptible=True, retries=2, size=9)
    return bench


def test_execute_runs_the_operator_as_one_attempt(work: Any) -> None:
    assert work.task.execute(work.context) == "size 9"
    assert work.task.log_of_calls == [("execute", 1)]
    assert work.ledger.records[1].started is not None


def test_resuming_goes_on_with_the_same_attempt(work: Any) -> None:
    work.task.execute(work.context)
    started = work.ledger.records[1].started
    assert work.task.resume_execution("execute_complete", {"event": "done"}, work.context) == "completed"
    assert work.task.log_of_calls[-1] == ("execute_complete", "done")
    assert work.ledger.records[1].started == started


class Resuming(BaseOperator):
    """An operator that resumes with ``execute``, as those for Neptune and EMR Serverless do, or that calls it."""

    def execute(self, context: Any, event: Any = None) -> Any:
        return event or "begun"

    def execute_complete(self, context: Any, event: Any) -> Any:
        return self.execute(context)


@pytest.mark.parametrize(("method", "result"), [("execute", "ready"), ("execute_complete", "begun")])
def test_resuming_with_execute_itself_is_still_one_attempt(work: Any, method: str, result: str) -> None:
    with DAG("dag", schedule=None):
        work.task = work.ti.task = interruptible_class(Resuming)(task_id="work", interruptible=True, retries=2)
    assert work.task.resume_execution(method, {"event": "ready"}, work.context) == result
    assert work.store.writes == 1


def test_on_kill_is_the_operator_s_own_and_is_remembered(work: Any) -> None:
    work.task.on_kill()
    assert work.task.log_of_calls == ["on_kill"]
    with pytest.raises(Interrupted):
        work.task.execute(work.context)
    assert work.task.log_of_calls == ["on_kill"]


def test_a_signal_while_it_runs_calls_on_kill_and_interrupts(work: Any) -> None:
    def execute(context: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, lambda *_: work.task.on_kill())
    try:
        work.task.size = type("Bomb", (), {"__str__": lambda _: execute(None)})()
        with pytest.raises(Interrupted):
            work.task.execute(work.context)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert work.task.log_of_calls == [("execute", 1), "on_kill"]


def test_a_copy_for_execution_is_the_same_task(dag: DAG) -> None:
    """Airflow runs a copy: what it carries must come along, and the original must stay as it was."""
    task = InterruptibleWork(task_id="t", interruptible=True, retries=1)
    copied = task.prepare_for_execution()
    copied.on_kill()
    assert copied.interruptible_annotation == task.interruptible_annotation
    assert copied.interruptible
    assert not task.interruptible_told


class Copy(BaseOperator):
    """Has had ``user_retries`` since 2021: how often its client asks."""

    def __init__(self, *, user_retries: int = 5, size: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user_retries = user_retries * size
        self.interruptible = "by the hour"

    def execute(self, context: Any) -> int:
        return self.user_retries


class Fixed(BaseOperator):
    """Has a name of ours on its class."""

    system_retries = 7

    @property
    def user_retries(self) -> int:
        return self._asks

    @user_retries.setter
    def user_retries(self, value: int) -> None:
        self._asks = value * 2

    def execute(self, context: Any) -> None: ...


@pytest.mark.parametrize("adopted", [False, True])
def test_an_attribute_that_the_operator_has_is_the_operator_s(dag: DAG, adopted: bool) -> None:
    copy: Any
    fixed: Any
    if adopted:
        from airflow_interruptible.policies import adoption

        with DAG("other", schedule=None, default_args={"interruptible": True, "retries": 2}):
            copy, fixed = Copy(task_id="copy", user_retries=9), Fixed(task_id="fixed")
        for task in (copy, fixed):
            adoption.apply(task)
    else:
        copy = interruptible_class(Copy)(task_id="copy", user_retries=9, retries=2)
        fixed = interruptible_class(Fixed)(task_id="fixed", retries=2)
    assert (copy.user_retries, copy.interruptible, copy.interruptible_annotation.budget.user_retries) == (
        9,
        "by the hour",
        2,
    )
    fixed.user_retries = 4
    assert (fixed.user_retries, fixed.system_retries, fixed.interruptible_annotation.budget.user_retries) == (8, 7, 2)


def test_a_mapped_one_keeps_it_too(dag: DAG) -> None:
    mapped = interruptible_class(Copy).partial(task_id="copy", user_retries=9, retries=2).expand(size=[1])
    made: Any = mapped.unmap({"size": 1})
    assert (made.user_retries, made.interruptible_annotation.budget.user_retries) == (9, 2)


def test_interruptible_can_be_set_on_a_task_that_was_made(dag: DAG) -> None:
    task: Any = InterruptibleWork(task_id="t", retries=1, interruptible=True)
    task.interruptible = False
    assert not task.interruptible
    assert task.interruptible_annotation.interruptible is False
