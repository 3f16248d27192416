# SPDX-License-Identifier: Apache-2.0
"""What happens to a task when its Dag has been parsed: adopt it, if it is stock and meant to be, and place it.

Runs in the Dag processor and again in every worker's parse, so both see the same operator.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute import Slot
from airflow_interruptible.core.budget import Account
from airflow_interruptible.core.placement import choose_capacity
from airflow_interruptible.core.precedence import Level, resolve
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.marker import Marker, tolerated_by
from airflow_interruptible.settings import Settings, get_settings

if TYPE_CHECKING:
    from airflow_interruptible.annotation import Annotation
    from airflow_interruptible.compute import ComputeChoice
    from airflow_interruptible.core.capacity import CapacityType

log = logging.getLogger(__name__)

_ANNOTATED = "airflow_interruptible.operators.interruptible"


def apply(task: Any) -> None:
    """Adopt ``task`` if it is a stock task that is meant to be interruptible, and place it if it is annotated.

    :raises ConfigurationError: an argument cannot be meant.
    :raises TypeError: ``interruptible`` is neither a bool nor None.
    """
    if _is_annotated(task):
        _refresh(task)
    elif not (_is_wanted(task) and _adopt(task)):
        return
    _place(task)


def _is_annotated(task: Any) -> bool:
    module = sys.modules.get(_ANNOTATED)
    return module is not None and issubclass(
        task.operator_class if task.is_mapped else type(task), module.InterruptibleMixin
    )


def _is_wanted(task: Any) -> bool:
    """Whether a stock task is meant to be interruptible. Only the levels above the task can say so."""
    dag, group = task.get_dag(), task.task_group
    default = _settings_or_default().default
    if not default and not _mentioned(dag) and not _mentioned(group):
        return False
    from airflow_interruptible.annotation import levels

    values = levels(None, group, dag)
    return resolve({level: values.get(level) for level in (Level.TASK_GROUP, Level.DAG, Level.CONFIG)}).interruptible


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


def _adopt(task: Any) -> bool:
    """Make a stock task an instance of its interruptible class, or a mapped one expand to it; tell if that worked."""
    from airflow_interruptible.annotation import Annotation, inherited_arguments, prepare_mapped
    from airflow_interruptible.compute.launched import launcher_of
    from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

    if not _become_interruptible(task):
        return False
    group, dag = task.task_group, task.get_dag()
    if task.is_mapped:
        prepare_mapped(task.operator_class, task.partial_kwargs, group, dag, InterruptibleRetryPolicy.around)
    else:
        arguments = inherited_arguments(type(task), group, dag)
        task.annotate(Annotation.of(arguments, task.retries, get_settings(), launcher_of(type(task))))
    return True


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
    """Take over ``retries`` and a ``retry_policy`` that the author, or another policy, set after the task was made."""
    from airflow_interruptible.annotation import annotation_of, with_user_retries
    from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

    task.retry_policy = InterruptibleRetryPolicy.around(task.retry_policy)
    annotation = annotation_of(task)
    if task.retries != annotation.budget.total_retries:
        with_user_retries(task, annotation, task.retries)


def _place(task: Any) -> None:
    """Send the first attempt where it belongs, and leave the server a marker for the later ones."""
    from airflow_interruptible.annotation import annotation_of, resolve_interruptible

    annotation = annotation_of(task)
    interruptible = resolve_interruptible(task, annotation.interruptible).interruptible
    slot = Slot(task.queue, task.executor, task.executor_config)
    compute = annotation.compute.build()
    if interruptible:
        compute.check(slot)
    if annotation.launch is not None:
        _check_launch(task, annotation.launch, interruptible=interruptible)
    capacity = choose_capacity(interruptible, Account(annotation.budget)).capacity
    placed = compute.place(slot, capacity)
    config = dict(placed.executor_config)
    if tolerated_by(placed.executor):
        config = _marker(task, annotation, interruptible, capacity).to_config(config)
    _write(task, {"queue": placed.queue, "executor": placed.executor, "executor_config": config})


def _check_launch(task: Any, choice: ComputeChoice, *, interruptible: bool) -> None:
    """Refuse a compute that cannot be meant, and work whose author asked for a place that it would have to overrule."""
    from airflow_interruptible.compute.launched import launcher_of

    compute = choice.build()
    launcher = launcher_of(task.operator_class if task.is_mapped else type(task))
    if interruptible and launcher is not None:
        launcher.placing_class.check_launch(compute, task.partial_kwargs if task.is_mapped else vars(task))


def _marker(task: Any, annotation: Annotation, interruptible: bool, capacity: CapacityType) -> Marker:
    own = annotation.own_compute
    compute = None if own is None else {"name": own.name, **own.options}
    return Marker(interruptible, annotation.budget, capacity, annotation.system_retry_delay, compute, task.is_teardown)


def _write(task: Any, columns: dict[str, Any]) -> None:
    if task.is_mapped:
        task.partial_kwargs.update(columns)
        return
    for name, value in columns.items():
        setattr(task, name, value)
