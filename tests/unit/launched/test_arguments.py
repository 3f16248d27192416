# SPDX-License-Identifier: Apache-2.0
"""What an author wrote, told from what is the operator's default."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, TaskGroup
from airflow.sdk.bases.operator import BaseOperatorMeta

from airflow_interruptible.launched.arguments import expanded, written


class Launching(BaseOperator):
    def __init__(self, *, size: int = 3, place: str = "here", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.place = size, place


def test_a_default_was_not_written() -> None:
    with DAG("dag", schedule=None, default_args={"place": "there"}):
        task = Launching(task_id="work")
    assert (written(task).get("size"), written(task)["place"]) == (None, "there")


def test_what_a_template_became_counts() -> None:
    task = Launching(task_id="work", place="{{ place }}")
    task.place = "rendered"
    assert written(task)["place"] == "rendered"


def test_a_mapped_task_has_what_its_dag_and_groups_say() -> None:
    with (
        DAG("dag", schedule=None, default_args={"place": "dag", "size": 1, "unknown": 1}),
        TaskGroup("g", default_args={"place": "group"}),
    ):
        task = Launching.partial(task_id="work").expand(size=[1, 2])
    assert written(task)["place"] == "group"
    assert "unknown" not in written(task)
    assert expanded(task) == {"size": [1, 2]}


@pytest.mark.parametrize(
    ("expand", "found"),
    [
        (
            lambda partial: partial.expand_kwargs([{"size": 1}, {"place": "a", "size": 2}]),
            {"size": [1, 2], "place": ["a"]},
        ),
        (lambda partial: partial.expand_kwargs(Launching(task_id="source").output), {}),
        (lambda partial: partial.expand(size=Launching(task_id="source").output), {"size": []}),
    ],
)
def test_expanded_arguments(expand: Any, found: dict[str, list[Any]]) -> None:
    with DAG("dag", schedule=None):
        task = expand(Launching.partial(task_id="work"))
    assert expanded(task) == found
    assert expanded(Launching(task_id="plain")) == {}


def test_airflow_keeps_what_was_written_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it every attribute counts as written: what was a default is refused then, and nothing is overruled."""
    assert "_BaseOperator__init_kwargs" in vars(Launching(task_id="work"))
    assert BaseOperatorMeta.__name__ == "BaseOperatorMeta"
    task = Launching(task_id="work")
    del task.__dict__["_BaseOperator__init_kwargs"]
    assert written(task)["size"] == 3
