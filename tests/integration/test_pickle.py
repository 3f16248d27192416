# SPDX-License-Identifier: Apache-2.0
"""Generated classes travel: to other processes, and into deep copies."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator

from airflow_interruptible import interruptible
from airflow_interruptible.decorators.interruptible import InterruptiblePythonOperator
from airflow_interruptible.operators.interruptible import InterruptibleMixin

CLASSES = [BaseOperator, EmptyOperator, BashOperator]


@pytest.mark.parametrize("operator", CLASSES)
@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_a_class_is_itself_again(operator: type[BaseOperator], pickler: Any) -> None:
    made = interruptible(operator)
    assert pickle.loads(pickler.dumps(made)) is made


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_the_stock_class_is_still_the_stock_class(pickler: Any) -> None:
    """They share a name: one must not be taken for the other."""
    interruptible(BashOperator)
    assert pickle.loads(pickler.dumps(BashOperator)) is BashOperator


@pytest.mark.parametrize("written", [InterruptibleMixin, InterruptiblePythonOperator])
def test_a_class_that_was_written_is_found_by_its_name(written: type) -> None:
    assert pickle.loads(pickle.dumps(written)) is written


@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))])
def test_a_task_travels_with_its_annotation(travel: Any) -> None:
    task: Any = interruptible(EmptyOperator)(task_id="t", interruptible=True, retries=2)
    again = travel(task)
    assert type(again) is type(task)
    assert again.interruptible_annotation == task.interruptible_annotation
    assert (again.interruptible, again.retries, again.user_retries) == (True, 5, 2)


def test_a_dag_travels() -> None:
    with DAG("d", schedule=None, default_args={"interruptible": True}) as dag:
        interruptible(BashOperator)(task_id="t", bash_command="true")
        interruptible(BashOperator).partial(task_id="m").expand(bash_command=["a"])
    again: Any = copy.deepcopy(dag)
    assert again.get_task("t").interruptible
    assert again.get_task("m").operator_class is interruptible(BashOperator)


def test_another_process_can_read_it(tmp_path: Any) -> None:
    file = tmp_path / "class.pickle"
    file.write_bytes(pickle.dumps(interruptible(EmptyOperator)))
    code = (
        f"import pickle, pathlib; made = pickle.loads(pathlib.Path({str(file)!r}).read_bytes());"
        "print(made.__module__, made.__name__, [base.__name__ for base in made.__bases__])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip().endswith(
        "airflow.providers.standard.operators.empty EmptyOperator ['InterruptibleMixin', 'EmptyOperator']"
    )
