# SPDX-License-Identifier: Apache-2.0
"""TaskFlow tasks that are interruptible.

Airflow's ``_TaskDecorator`` is private and subclassed here only, for two reasons: ``override(interruptible=None)`` must
leave the task's own value alone, and a mapped task must carry both budgets from the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs
from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk.bases.decorator import _TaskDecorator, task_decorator_factory

from airflow_interruptible.annotation import prepare_mapped, with_own_defaults
from airflow_interruptible.operators.interruptible import interruptible_class
from airflow_interruptible.policies.retry import InterruptibleRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import XComArg
    from airflow.sdk.bases.decorator import TaskDecorator

INTERRUPTIBLE = "interruptible"


class InterruptiblePythonOperator(interruptible_class(_PythonDecoratedOperator)):  # type: ignore[misc]
    """The operator of ``@task.interruptible``."""

    custom_operator_name = "@task.interruptible"


@attrs.define(slots=False)
class InterruptibleTask(_TaskDecorator):  # type: ignore[type-arg]
    """A TaskFlow task whose operator is interruptible."""

    def override(self, **kwargs: Any) -> InterruptibleTask:
        """Return the task with other arguments; ``interruptible=None`` changes nothing."""
        if kwargs.get(INTERRUPTIBLE, ...) is None:
            del kwargs[INTERRUPTIBLE]
        return cast("InterruptibleTask", super().override(**kwargs))

    def _expand(self, expand_input: Any, *, strict: bool) -> XComArg:
        self.kwargs = with_own_defaults(self.kwargs)
        mapped: Any = super()._expand(expand_input, strict=strict)
        task = mapped.operator
        prepare_mapped(
            task.operator_class, task.partial_kwargs, task.task_group, task.get_dag(), InterruptibleRetryPolicy.around
        )
        return cast("XComArg", mapped)


def interruptible_task(
    python_callable: Callable[..., Any] | None = None, *, multiple_outputs: bool | None = None, **kwargs: Any
) -> TaskDecorator:
    """Run a function as an interruptible task: ``@task.interruptible``.

    :param python_callable: the function, or a task that another TaskFlow decorator has made: it becomes interruptible,
        and takes what is said here. Airflow itself drops what is said above another decorator.
    :param multiple_outputs: see ``@task``.
    :param kwargs: arguments of ``@task``, and those of
        :class:`~airflow_interruptible.operators.interruptible.InterruptibleMixin`.
    """

    def decorate(function: Any) -> InterruptibleTask:
        if isinstance(function, _TaskDecorator):
            task = interruptible_taskflow(function).override(**kwargs)
            if multiple_outputs is not None:
                task.multiple_outputs = multiple_outputs
            return task
        decorated = task_decorator_factory(
            function,
            multiple_outputs=multiple_outputs,
            decorated_operator_class=InterruptiblePythonOperator,
            **kwargs,
        )
        return interruptible_taskflow(cast("_TaskDecorator[..., Any, Any]", decorated))

    return cast("TaskDecorator", decorate if python_callable is None else decorate(python_callable))


def interruptible_taskflow(task: _TaskDecorator[..., Any, Any]) -> InterruptibleTask:
    """Return a TaskFlow task, of whatever decorator, as an interruptible one."""
    flags = ("is_setup", "is_teardown", "returns_dag_result", "on_failure_fail_dagrun")
    result = InterruptibleTask(
        function=task.function,
        operator_class=interruptible_class(task.operator_class),
        multiple_outputs=task.multiple_outputs,
        kwargs=dict(task.kwargs),
        decorator_name=task.decorator_name,
    )
    for flag in flags:
        setattr(result, flag, getattr(task, flag))
    return result
