# SPDX-License-Identifier: Apache-2.0
"""What an author wrote, checked, with everything inherited filled in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup
from airflow.sdk.bases.notifier import BaseNotifier

from airflow_interruptible import interruptible
from airflow_interruptible.annotation import (
    ARGUMENTS,
    Annotation,
    annotation_of,
    inherited,
    levels,
    resolve_interruptible,
    with_user_retries,
)
from airflow_interruptible.compute import ComputeChoice
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.precedence import Level, Resolution
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

PAIR = {"spot": "cheap", "on_demand": "safe"}
SETTINGS = Settings(system_retries=4, system_retry_delay=timedelta(seconds=30), compute="queue", compute_options=PAIR)
Interruptible = interruptible(EmptyOperator)


def test_nothing_said_is_what_airflow_cfg_says() -> None:
    assert Annotation.of({}, None, SETTINGS) == Annotation(
        interruptible=None,
        budget=Budget(0, 4),
        system_retry_delay=timedelta(seconds=30),
        compute=ComputeChoice("queue", PAIR),
    )


def test_everything_said() -> None:
    def callback(context: Any, notice: Any) -> None: ...

    said = {
        "interruptible": False,
        "system_retries": 0,
        "system_retry_delay": 1.5,
        "compute": "none",
        "on_interruption_callback": callback,
    }
    assert set(said) == set(ARGUMENTS)
    assert Annotation.of(said, 2, SETTINGS) == Annotation(
        interruptible=False,
        budget=Budget(2, 0),
        system_retry_delay=timedelta(seconds=1.5),
        compute=ComputeChoice("none"),
        own_compute=ComputeChoice("none"),
        on_interruption_callback=(callback,),
    )


class Notifier(BaseNotifier):
    """One that is asked nothing here."""


def one(context: Any, notice: Any) -> None: ...


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ()),
        ([], ()),
        (one, (one,)),
        ([one, print], (one, print)),
        ((notifier := Notifier()), (notifier,)),
        ((one, notifier), (one, notifier)),
    ],
)
def test_callbacks_are_one_or_many_and_notifiers_too(given: Any, expected: Any) -> None:
    assert Annotation.of({"on_interruption_callback": given}, 0, SETTINGS).on_interruption_callback == expected


@pytest.mark.parametrize(
    ("delay", "expected"), [(0, timedelta(0)), (7, timedelta(seconds=7)), (timedelta(hours=1), timedelta(hours=1))]
)
def test_a_delay_is_seconds_or_a_timedelta(delay: object, expected: timedelta) -> None:
    assert Annotation.of({"system_retry_delay": delay}, 0, SETTINGS).system_retry_delay == expected


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("system_retries", value) for value in (-1, 1.0, "3", True, [], 10**12)),
        *(("system_retry_delay", value) for value in (-1, "10", True, timedelta(seconds=-1))),
        *(("system_retry_delay", value) for value in (float("nan"), float("inf"), 1e300)),
        *(("on_interruption_callback", value) for value in ("call me", 1, [1], Notifier, lambda context: context)),
        *(("compute", value) for value in (1, {}, ["queue"])),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be") as raised:
        Annotation.of({name: wrong}, 0, SETTINGS)
    assert repr(wrong) in str(raised.value)


@pytest.mark.parametrize("wrong", [-1, 1.5, "2", True])
def test_retries_that_cannot_be_meant_are_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^retries must be an int >= 0"):
        Annotation.of({}, wrong, SETTINGS)


def test_an_interruptible_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(TypeError, match="the task's own argument says 'yes'"):
        Annotation.of({"interruptible": "yes"}, 0, SETTINGS)


# -- levels


def test_every_level_is_looked_at(configure: Callable[..., None]) -> None:
    configure(default="True")
    with DAG("d", schedule=None, default_args={"interruptible": False}) as dag, TaskGroup("g") as group:
        pass
    group.default_args["interruptible"] = True
    assert levels(None, group, dag) == {
        Level.TASK: None,
        Level.TASK_GROUP: True,
        Level.DAG: False,
        Level.CONFIG: True,
    }


def test_the_nearest_group_that_says_something_counts() -> None:
    yes, no = ({"interruptible": value} for value in (True, False))
    with (
        DAG("d", schedule=None),
        TaskGroup("outer", default_args=yes),
        TaskGroup("middle", default_args=no),
        TaskGroup("inner") as inner,
    ):
        pass
    assert levels(None, inner, None)[Level.TASK_GROUP] is False


@pytest.mark.parametrize(("said", "expected"), [("", None), ("True", True), ("False", False)])
def test_airflow_cfg_may_say_nothing(configure: Callable[..., None], said: str, expected: bool | None) -> None:
    configure(default=said)
    assert levels(None, None, None)[Level.CONFIG] is expected


def test_levels_without_a_dag() -> None:
    assert levels(True, None, None) == {Level.TASK: True, Level.TASK_GROUP: None, Level.DAG: None, Level.CONFIG: None}


@pytest.mark.parametrize("place", ["group", "dag"])
def test_a_level_that_cannot_be_meant_is_refused(place: str) -> None:
    says: dict[str, Any] = {"interruptible": 1}
    with DAG("d", schedule=None, default_args=says if place == "dag" else {}) as dag:
        group = TaskGroup("g", default_args=says if place == "group" else {})
    with pytest.raises(TypeError, match="default_args says 1"):
        levels(None, group, dag)


def test_resolving_with_and_without_a_run() -> None:
    with DAG("d", schedule=None, default_args={"interruptible": True}):
        task = Interruptible(task_id="t")
    assert resolve_interruptible(task, None) == Resolution(interruptible=True, level=Level.DAG)
    assert resolve_interruptible(task, None, {"other": 1}) == Resolution(interruptible=True, level=Level.DAG)
    assert resolve_interruptible(task, None, {"interruptible": False}) == Resolution(
        interruptible=False, level=Level.RUN
    )
    with pytest.raises(TypeError, match=r"dag_run\.conf says"):
        resolve_interruptible(task, None, {"interruptible": "false"})


def test_an_annotated_task_is_interruptible_unless_a_level_says_otherwise(configure: Callable[..., None]) -> None:
    with DAG("d", schedule=None):
        task = Interruptible(task_id="t")
    assert resolve_interruptible(task, None) == Resolution(interruptible=True, level=Level.ANNOTATION)
    configure(default="False")
    assert resolve_interruptible(task, None) == Resolution(interruptible=False, level=Level.CONFIG)


def test_inherited_is_the_group_over_the_dag() -> None:
    with DAG("d", schedule=None, default_args={"compute": "none", "system_retries": 1}) as dag:
        group = TaskGroup("g", default_args={"system_retries": 2})
    assert inherited("system_retries", group, dag) == 2
    assert inherited("compute", group, dag) == "none"
    assert inherited("system_retry_delay", group, dag) is None
    assert inherited("compute", None, None) is None


# -- both forms of a task


def test_a_task_and_a_mapped_task_are_annotated_alike() -> None:
    arguments: dict[str, Any] = {"interruptible": True, "retries": 2, "system_retries": 1, "compute": "none"}
    with DAG("d", schedule=None):
        plain = Interruptible(task_id="plain", **arguments)
        mapped = Interruptible.partial(task_id="mapped", **arguments).expand(doc=["a", "b"])
    assert annotation_of(plain) == annotation_of(mapped)
    assert plain.retries == mapped.retries == 3


@pytest.mark.parametrize("form", ["plain", "mapped"])
def test_another_number_of_user_retries_moves_the_sum(form: str) -> None:
    with DAG("d", schedule=None):
        if form == "plain":
            task = Interruptible(task_id="t", retries=2, system_retries=1)
        else:
            task = Interruptible.partial(task_id="t", retries=2, system_retries=1).expand(doc=["a"])
    with_user_retries(task, annotation_of(task), 5)
    assert annotation_of(task).budget == Budget(5, 1)
    assert task.retries == 6
    with pytest.raises(ConfigurationError, match="retries must be"):
        with_user_retries(task, annotation_of(task), -1)


def test_a_stock_task_has_no_annotation() -> None:
    with DAG("d", schedule=None):
        task = EmptyOperator(task_id="t")
    with pytest.raises(AttributeError):
        annotation_of(task)
