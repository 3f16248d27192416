# SPDX-License-Identifier: Apache-2.0
"""What moves when an attempt is placed, and what must not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.ledger import Record
from airflow_interruptible.marker import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
STARTED = "2026-01-01T00:00:00.000+00:00"
FAILED = Record(SPOT, Cause.APPLICATION, started=STARTED)
ECS = "airflow.providers.amazon.aws.executors.ecs.ecs_executor.AwsEcsExecutor"


def test_the_author_s_executor_config_survives_every_attempt(deploy: Any) -> None:
    theirs = {"pod_override": {"spec": {"priority": 1}}}
    deployment = deploy(retries=1, executor_config=theirs).trigger().start_run().run(record=FAILED).reported()
    config = deployment.row().executor_config
    assert {**config, **theirs} == config
    assert config[KEY]["capacity"] == "on-demand"


def test_only_the_place_moves(deploy: Any) -> None:
    deployment = deploy(retries=1, pool="default_pool", priority_weight=7).trigger().start_run()
    before = deployment.row()
    after = deployment.run(record=FAILED).reported().row()
    changed = {
        column.key
        for column in before.__table__.columns
        if getattr(before, column.key, None) != getattr(after, column.key, None)
    }
    by_airflow = {
        *("id", "state", "try_number", "start_date", "end_date", "duration", "hostname", "updated_at"),
        *("retry_delay_override", "retry_reason", "next_kwargs", "next_method"),
    }
    assert changed - by_airflow == {"queue", "executor_config"}


def test_a_compute_of_the_task_s_own(deploy: Any) -> None:
    own = {"name": "queue", "spot": "gpu-spot", "on_demand": "gpu"}
    deployment = deploy(retries=1, compute=own).trigger().start_run()
    assert deployment.row().queue == "gpu-spot"
    assert deployment.run(record=FAILED).reported().row().queue == "gpu"


def test_a_compute_that_places_nothing_still_counts(deploy: Any) -> None:
    deployment = deploy(retries=1, compute="none").trigger().start_run().run(record=FAILED).reported()
    assert deployment.row().queue == "default"
    assert deployment.marker().capacity is ON_DEMAND


def test_executors_can_be_the_two_kinds(
    deploy: Any, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_interruptible.compute import executor

    monkeypatch.setattr(executor, "_check_configured", lambda _: None)
    own = {"name": "executor", "spot": "CeleryExecutor", "on_demand": "LocalExecutor"}
    deployment = deploy(retries=1, compute=own).trigger().start_run()
    assert deployment.row().executor == "CeleryExecutor"
    assert deployment.run(record=FAILED).reported().row().executor == "LocalExecutor"


def test_no_marker_travels_to_an_executor_that_refuses_it(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon's executors merge executor_config into a call of boto3, which fails on a key it does not know."""
    from airflow_interruptible.compute import executor

    monkeypatch.setattr(executor, "_check_configured", lambda _: None)
    own = {"name": "executor", "spot": "CeleryExecutor", "on_demand": ECS}
    deployment = deploy(retries=1, compute=own).trigger().start_run().run(record=FAILED).reported()
    row = deployment.row()
    assert row.executor != ECS or KEY not in row.executor_config


def test_the_author_changed_retries_while_it_waited(deploy: Any) -> None:
    """``max_tries`` is a column; what the file says now comes with the next clear."""
    deployment = deploy(retries=2).trigger().start_run().run(record=FAILED).reported()
    assert deployment.row().max_tries == 4
    assert deployment.marker().budget.user_retries == 2
