# SPDX-License-Identifier: Apache-2.0
"""Executors that place attempts themselves, with the session events switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.executors.workloads import ExecuteTask
from airflow.utils.session import create_session

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.executors import placing
from airflow_interruptible.executors.local import InterruptibleLocalExecutor
from airflow_interruptible.ledger import Record
from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
FAILED = Record(SPOT, Cause.APPLICATION, started="2026-01-01T00:00:00.000+00:00")


@pytest.fixture
def queued() -> Callable[[Any], Any]:
    """Hand the next attempt to the executor, as the scheduler does; what the executor then holds."""

    def queue(deployment: Any) -> Any:
        executor = InterruptibleLocalExecutor()
        deployment.queue()
        with create_session(scoped=False) as session:
            ti = seam.find(session, (deployment.dag.dag_id, "work", "run", -1))
            executor.queue_workload(ExecuteTask.make(ti), session)
        (workload,) = executor.queued_tasks.values()
        return workload.ti

    return queue


@pytest.fixture
def deployed(deploy: Any, configure: Callable[..., None]) -> Callable[..., Any]:
    def build(**said: Any) -> Any:
        deployment = deploy(**said)
        configure(compute="queue", compute_options='{"spot": "cheap", "on_demand": "safe"}', session_events="False")
        return deployment.trigger().start_run()

    return build


def test_a_first_attempt_goes_where_the_file_says(deployed: Any, queued: Any) -> None:
    assert queued(deployed()).queue == "cheap"
    assert queued(deployed(interruptible=False)).queue == "safe"


def test_the_last_user_attempt_goes_on_demand(deployed: Any, queued: Any) -> None:
    deployment = deployed(retries=1).run(record=FAILED).reported()
    assert deployment.row().queue == "cheap", "nobody has moved it yet"
    handed = queued(deployment)
    assert handed.queue == "safe"
    marker = Marker.from_config(handed.executor_config)
    assert marker is not None
    assert marker.capacity is ON_DEMAND
    assert (deployment.row().queue, deployment.marker().capacity) == ("safe", ON_DEMAND), "the UI must show it"


def test_the_run_is_heard(deploy: Any, configure: Callable[..., None], queued: Any) -> None:
    configure(compute="queue", compute_options='{"spot": "cheap", "on_demand": "safe"}', session_events="False")
    assert queued(deploy().trigger({"interruptible": False}).start_run()).queue == "safe"


def test_a_task_that_is_not_ours_is_handed_on_untouched(
    deploy: Any, queued: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "_place", lambda *_: pytest.fail("it was looked at"))
    assert queued(deploy(annotated=False).trigger().start_run()).queue == "default"


def test_an_error_of_ours_does_not_keep_a_task_from_being_queued(
    deployed: Any, queued: Any, warnings_of: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "_place", lambda *_: 1 / 0)
    assert queued(deployed()).queue == "cheap"
    assert len(warnings_of()) == 1


@pytest.mark.parametrize("name", ["local", "celery", "kubernetes", "ecs", "batch"])
def test_airflow_can_load_them(name: str) -> None:
    from airflow_interruptible.get_provider_info import get_provider_info

    (path,) = [path for path in get_provider_info()["executors"] if f".{name}." in path]
    module, _, kind = path.rpartition(".")
    executor = getattr(pytest.importorskip(module), kind)
    assert issubclass(executor, placing.PlacingExecutor)
    assert executor.queue_workload.__module__.startswith("airflow_interruptible.executors.")
