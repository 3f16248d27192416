# SPDX-License-Identifier: Apache-2.0
"""What happens to a task when its Dag has been parsed: a stock one may be adopted, an annotated one is placed.

A stock task is adopted wherever its TaskGroup or Dag says ``interruptible``, True or False, as both budgets are for
either; and where only airflow.cfg speaks, if that says True. What only airflow.cfg says never breaks a Dag.

Runs in the Dag processor and again in every worker's parse, so both see the same operator.
"""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute import Slot
from airflow_interruptible.core.budget import Account
from airflow_interruptible.core.delay import AuthorBackoff
from airflow_interruptible.core.placement import choose_capacity
from airflow_interruptible.core.precedence import Level
from airflow_interruptible.core.words import meant
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.marker import Marker, tolerated_by
from airflow_interruptible.settings import Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.annotation import Annotation
    from airflow_interruptible.compute import ComputeChoice
    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.core.precedence import Resolution

log = logging.getLogger(__name__)

_ANNOTATED = "airflow_interruptible.operators.interruptible"


def apply(task: Any) -> None:
    """Adopt ``task`` if it is a stock task that somebody speaks of, and place it if it is annotated.

    :raises ConfigurationError: an argument cannot be meant.
    :raises TypeError: ``interruptible`` is neither a bool nor None.
    """
    _warn_of_misspelt_words(task)
    try:
        if _is_annotated(task):
            _refresh(task)
        elif _is_spoken_of(task):
            _adopt(task, {})
        elif _settings_or_default().default:
            _adopt_for_the_platform(task)
    except (ConfigurationError, TypeError) as error:
        kind = ConfigurationError if isinstance(error, ConfigurationError) else TypeError
        raise kind(f"Task {task.dag_id}.{task.task_id}: {error}") from error


@contextmanager
def with_the_author_s_retries(task: Any) -> Iterator[None]:
    """Let others, who know nothing of two budgets, see and set the author's ``retries`` of an annotated task.

    Of the sum of both they could not tell what is whose: a policy that caps ``retries`` at 2 would give them to a task
    that has none of its own.
    """
    if not _is_annotated(task):
        yield
        return
    from airflow_interruptible.annotation import annotation_of, with_user_retries

    annotation = annotation_of(task)
    task.retries = annotation.budget.user_retries
    try:
        yield
    finally:
        with_user_retries(task, annotation, task.retries)


def _warn_of_misspelt_words(task: Any) -> None:
    """Say what looks like one of our words: what nobody takes of ``default_args``, Airflow ignores in silence."""
    for source in (task.get_dag(), task.task_group):
        for name in source.default_args if source is not None else ():
            if word := meant(name):
                _warn_once(
                    f"default_args of Dag {task.dag_id} say {name!r}, which nobody reads. Did you mean {word!r}?"
                )


def _is_annotated(task: Any) -> bool:
    module = sys.modules.get(_ANNOTATED)
    return module is not None and issubclass(_class_of(task), module.InterruptibleMixin)


def _class_of(task: Any) -> Any:
    return task.operator_class if task.is_mapped else type(task)


def _is_spoken_of(task: Any) -> bool:
    """Whether the TaskGroup or the Dag of a stock task says ``interruptible``, True or False."""
    dag, group = task.get_dag(), task.task_group
    if not _mentioned(dag) and not _mentioned(group):
        return False
    from airflow_interruptible.annotation import levels

    values = levels(None, group, dag)
    return values[Level.TASK_GROUP] is not None or values[Level.DAG] is not None


def _mentioned(source: Any) -> bool:
    return source is not None and "interruptible" in source.default_args


@cache
def _settings_or_default() -> Settings:
    """Return the settings; wrong ones must not keep Dags that never heard of us from being parsed."""
    try:
        return get_settings()
    except ConfigurationError as error:
        log.warning("%s Until then, no stock task is made interruptible.", error)
        return Settings()


def _adopt_for_the_platform(task: Any) -> None:
    """Adopt a task of which only airflow.cfg speaks. If that contradicts the task, it stays where its author put it."""
    from airflow_interruptible.annotation import taken_by

    staying = {"interruptible": False, "compute": "none"}
    free = {name: value for name, value in staying.items() if name not in taken_by(_class_of(task))}
    if not _adopted(task, {}):
        _adopted(task, free)


def _adopted(task: Any, said: Mapping[str, Any]) -> bool:
    try:
        _adopt(task, said)
    except ConfigurationError as error:
        _warn_once(
            f"Task {task.dag_id}.{task.task_id} stays where it is, on demand. Only default in section interruptible of "
            f"airflow.cfg asks for spot, and: {error}"
        )
        return False
    return True


@cache
def _warn_once(message: str) -> None:
    """Say it once in each process, which may parse a Dag file again and again."""
    log.warning("%s", message)


def _adopt(task: Any, said: Mapping[str, Any]) -> None:
    """Make a stock task an instance of its interruptible class, or a mapped one expand to it, and place it.

    Whatever may be refused is looked at before anything is changed.

    :param said: arguments that stand for the task's own, which a stock task cannot have.
    """
    from airflow_interruptible.annotation import Annotation, inherited_arguments, mapped_annotation, prepare_mapped
    from airflow_interruptible.compute.launched import launcher_of
    from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

    operator_class, group, dag = _class_of(task), task.task_group, task.get_dag()
    if task.is_mapped:
        annotation = mapped_annotation(operator_class, {**task.partial_kwargs, **said}, group, dag)
    else:
        arguments = {**inherited_arguments(operator_class, group, dag), **said}
        annotation = Annotation.of(arguments, task.retries, get_settings(), launcher_of(operator_class))
    columns = _placed(task, annotation)
    if not _become_interruptible(task):
        return
    if task.is_mapped:
        task.partial_kwargs.update(said)
        prepare_mapped(task.operator_class, task.partial_kwargs, group, dag, InterruptibleRetryPolicy.around)
    else:
        task.interruptible_annotate(annotation)
    _write(task, columns)


def _become_interruptible(task: Any) -> bool:
    """Change the class of ``task``. An operator that cannot be subclassed must not cost its Dag: it stays as it is."""
    from airflow_interruptible.operators.interruptible import interruptible_class

    try:
        if task.is_mapped:
            task.operator_class = interruptible_class(task.operator_class)
        else:
            task.__class__ = interruptible_class(type(task))
    except Exception:
        log.warning(
            "Task %s cannot be made interruptible, since its operator cannot be subclassed. It runs as Airflow would "
            "run it.",
            task.task_id,
            exc_info=True,
        )
        return False
    return True


def _refresh(task: Any) -> None:
    """Take over what the author, or another policy, set after the task was made, and place it."""
    from airflow_interruptible.annotation import annotation_of, with_user_retries
    from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

    task.retry_policy = InterruptibleRetryPolicy.around(task.retry_policy)
    annotation = annotation_of(task)
    if task.retries != annotation.budget.total_retries:
        with_user_retries(task, annotation, task.retries)
    _write(task, _placed(task, annotation_of(task)))


_ANYWHERE = Slot()
"""A place that contradicts no compute."""


def _placed(task: Any, annotation: Annotation) -> dict[str, Any]:
    """Return the columns that send the first attempt where it belongs, and tell the server about the later ones."""
    from airflow_interruptible.annotation import refuse_per_index, resolve_interruptible

    if task.is_mapped:
        refuse_per_index(task.operator_class, task.expand_input)
    resolution = resolve_interruptible(task, annotation.interruptible)
    interruptible = resolution.interruptible
    slot = Slot(task.queue, task.executor, task.executor_config or {})
    compute = annotation.compute.build()
    compute.check(slot if interruptible else _ANYWHERE)  # the names are checked always: on demand has one, too
    if annotation.launch is not None:
        _check_launch(task, annotation.launch, resolution)
    capacity = choose_capacity(interruptible, Account(annotation.budget)).capacity
    placed = compute.place(slot, capacity)
    config = dict(placed.executor_config)
    if tolerated_by(placed.executor):
        config = _marker(task, annotation, interruptible, capacity).to_config(config)
    return {"queue": placed.queue, "executor": placed.executor, "executor_config": config}


def _check_launch(task: Any, choice: ComputeChoice, resolution: Resolution) -> None:
    """Refuse a compute that cannot be meant, and work whose author asked for a place that it would have to overrule."""
    from airflow_interruptible.compute.launched import launcher_of

    launcher = launcher_of(_class_of(task))
    if launcher is None:
        return
    if launcher.work_path:
        from airflow_interruptible.launched.checking import check_launch

        check_launch(task, launcher.work, choice.options, resolution)
        return
    compute = choice.build()
    if resolution.interruptible:
        launcher.placing_class.check_launch(compute, task.partial_kwargs if task.is_mapped else vars(task))


def _marker(task: Any, annotation: Annotation, interruptible: bool, capacity: CapacityType) -> Marker:
    own = annotation.own_compute
    compute = None if own is None else {"name": own.name, **own.options}
    backoff = AuthorBackoff.of(task)
    return Marker(
        interruptible=interruptible,
        budget=annotation.budget,
        capacity=capacity,
        system_retry_delay=annotation.system_retry_delay,
        compute=compute,
        teardown=task.is_teardown,
        placed=annotation.placed,
        backoff=backoff if backoff.grows else None,
    )


def _write(task: Any, columns: dict[str, Any]) -> None:
    if task.is_mapped:
        task.partial_kwargs.update(columns)
        return
    for name, value in columns.items():
        setattr(task, name, value)
