# SPDX-License-Identifier: Apache-2.0
"""``interruptible``: make an operator class, or a TaskFlow task, interruptible."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from airflow.sdk import BaseOperator
from airflow.sdk.bases.decorator import _TaskDecorator

from airflow_interruptible.decorators.interruptible import InterruptibleTask, interruptible_taskflow
from airflow_interruptible.operators.interruptible import interruptible_class

Operator = TypeVar("Operator", bound=BaseOperator)


@overload
def interruptible(target: type[Operator]) -> type[Operator]: ...
@overload
def interruptible(target: _TaskDecorator[..., Any, Any]) -> InterruptibleTask: ...


def interruptible(target: Any = None, **misplaced: Any) -> Any:
    """Return the interruptible form of ``target``.

    :param target: an operator class (the result is its interruptible subclass, always the same one), or a task
        made by a TaskFlow decorator, so that ``@interruptible`` can stand above ``@task.kubernetes(...)``.
    :param misplaced: nothing. Named only to say where arguments go.
    :raises TypeError: it is neither, or came with arguments.

    Give the arguments to what is annotated: ``interruptible(BashOperator)(task_id="x", interruptible=False)``, or
    ``my_task.override(interruptible=False)()``.
    """
    if misplaced:
        said = ", ".join(f"{name}={value!r}" for name, value in misplaced.items())
        raise TypeError(
            f"interruptible() takes an operator class or a TaskFlow task and nothing else, got {said}. Give the "
            f"arguments to the task itself: interruptible(BashOperator)(task_id=..., {said}), @interruptible above "
            f"@task.bash({said}), or @task.interruptible({said}) above @task.bash."
        )
    if isinstance(target, _TaskDecorator):
        return interruptible_taskflow(target)
    return interruptible_class(target)
