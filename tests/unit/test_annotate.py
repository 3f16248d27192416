# SPDX-License-Identifier: Apache-2.0
"""``interruptible`` takes an operator class, or a TaskFlow task."""

from __future__ import annotations

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import task

from airflow_interruptible import interruptible
from airflow_interruptible.decorators.interruptible import InterruptibleTask
from airflow_interruptible.operators.interruptible import InterruptibleMixin


def test_an_operator_class() -> None:
    assert issubclass(interruptible(EmptyOperator), InterruptibleMixin)


def test_a_taskflow_task() -> None:
    @interruptible
    @task
    def work() -> None: ...

    assert isinstance(work, InterruptibleTask)
    assert issubclass(work.operator_class, InterruptibleMixin)


@pytest.mark.parametrize("wrong", [len, "x", None, EmptyOperator(task_id="x"), 3])
def test_anything_else_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="takes an operator class or a TaskFlow task"):
        interruptible(wrong)  # type: ignore[call-overload]


def test_arguments_are_told_where_to_go() -> None:
    with pytest.raises(TypeError, match=r"got system_retries=5\. Give the arguments to the task itself.*@task.bash\("):
        interruptible(system_retries=5)  # type: ignore[call-overload]
