# SPDX-License-Identifier: Apache-2.0
"""What needs Airflow itself, but none of its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG


@pytest.fixture
def parse() -> Callable[[DAG], DAG]:
    """Do to a Dag what every parse does to it: ask the cluster policies about each task."""
    from airflow import settings

    def ask(dag: Any) -> Any:
        for task in dag.tasks:
            settings.task_policy(task)
        return dag

    return ask
