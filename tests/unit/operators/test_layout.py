# SPDX-License-Identifier: Apache-2.0
"""An operator that was made already becomes interruptible, wherever the layout of its objects comes from."""

from __future__ import annotations

from abc import ABC
from importlib import import_module
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_interruptible.operators.interruptible import InterruptibleMixin, interruptible_class
from airflow_interruptible.operators.layout import footing


class Resumable(ABC):  # noqa: B024 - as theirs
    """A mixin as several providers have one: it has a place of its own for attributes."""


class Job(Resumable, BaseOperator):
    def execute(self, context: Any) -> str:
        return "done"


class OwnJob(Job):
    """What a team makes of it."""


@pytest.mark.parametrize("kind", [BaseOperator, Job, OwnJob])
def test_a_made_operator_becomes_one_of_ours(kind: type[BaseOperator]) -> None:
    with DAG("d", schedule=None):
        task = kind(task_id="t", retries=3)
    task.__class__ = interruptible_class(kind)
    assert isinstance(task, InterruptibleMixin)
    assert (task.task_id, task.retries) == ("t", 3)


def test_one_that_is_made_as_ours_takes_our_arguments() -> None:
    with DAG("d", schedule=None, default_args={"system_retry_delay": 7}):
        task: Any = interruptible_class(OwnJob)(task_id="t", retries=1, system_retries=2, compute="none")
    assert (task.retries, task.interruptible_annotation.budget.system_retries) == (3, 2)
    assert task.interruptible_annotation.system_retry_delay.total_seconds() == 7


def test_what_comes_from_object_needs_nothing() -> None:
    assert footing(BaseOperator) == ()
    assert [kind.__mro__[1:] for kind in footing(OwnJob)] == [(ABC, object)]


@pytest.mark.parametrize(
    "path",
    [
        "amazon.aws.operators.glue.GlueJobOperator",
        "amazon.aws.operators.redshift_data.RedshiftDataOperator",
        "databricks.operators.databricks.DatabricksSubmitRunOperator",
        "google.cloud.operators.bigquery.BigQueryInsertJobOperator",
    ],
)
def test_so_do_the_operators_of_providers_that_resume(path: str) -> None:
    module, _, name = path.rpartition(".")
    kind: Any = getattr(import_module(f"airflow.providers.{module}"), name)
    task = object.__new__(kind)
    object.__setattr__(task, "__class__", interruptible_class(kind))
    assert isinstance(task, InterruptibleMixin)
