# SPDX-License-Identifier: Apache-2.0
"""What is sent of a function that runs elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, task

import airflow_interruptible
from airflow_interruptible import interruptible
from airflow_interruptible import interruptible as on_spot
from airflow_interruptible.operators.source import without_ours

BARE = "def work():\n    return 1\n"
NAMES = {"interruptible": interruptible, "on_spot": on_spot, "airflow_interruptible": airflow_interruptible}


@pytest.mark.parametrize(
    "line", ["@interruptible", "@on_spot", "@airflow_interruptible.interruptible", "@interruptible  # why"]
)
def test_our_decorator_is_left_out_by_whatever_name(line: str) -> None:
    assert without_ours(f"{line}\n{BARE}", NAMES) == BARE
    assert (
        without_ours(f"@theirs\n{line}\n@other.one(\n    2\n)\n{BARE}", NAMES)
        == f"@theirs\n@other.one(\n    2\n)\n{BARE}"
    )


def test_a_name_that_nobody_knows_is_taken_at_its_word() -> None:
    assert without_ours(f"@interruptible\n{BARE}", {}) == BARE


@pytest.mark.parametrize("source", [BARE, f"@theirs.interruptible\n{BARE}", f"@interruptible\n{BARE}"])
def test_somebody_else_s_stays(source: str) -> None:
    assert without_ours(source, {"interruptible": print, "theirs": pytest}) == source


@pytest.mark.parametrize("decorator", ["kubernetes", "virtualenv", "docker"])
def test_a_taskflow_function_that_is_sent_knows_no_airflow(decorator: str) -> None:
    arguments: dict[str, Any] = {"virtualenv": {}}.get(decorator, {"image": "i"})
    with DAG("d", schedule=None) as dag:

        @interruptible
        @getattr(task, decorator)(**arguments)
        def work():  # type: ignore[no-untyped-def]
            return 1

        work()
    source = dag.get_task("work").get_python_source()  # type: ignore[union-attr]
    assert "@interruptible" not in source
