# SPDX-License-Identifier: Apache-2.0
"""A version of Airflow that has moved a name: everybody is told in one sentence, and Airflow goes on.

A column that no Airflow has is asked for, in each of the places where a name may move.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.executors.workloads import ExecuteTask
from airflow.utils.session import create_session

from airflow_interruptible.cli import main
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.executors.local import InterruptibleLocalExecutor
from airflow_interruptible.ledger import Record
from airflow_interruptible.server import lookout, overdue, seam, state_store
from airflow_interruptible.server.patrol import Patrol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SENTENCE = "This version of airflow-interruptible does not know this version of Airflow: {} has no zodiac."
FAILED = Record(CapacityType.SPOT, Cause.APPLICATION, started="2026-01-01T00:00:00.000+00:00")


@pytest.fixture(params=["_TRY_COLUMNS", "_LOG_COLUMNS"])
def plant(request: Any) -> Iterator[Callable[[], str]]:
    """From its call on a column is missing; it returns what everybody is to be told."""
    planted = pytest.MonkeyPatch()

    def missing() -> str:
        planted.setattr(seam, request.param, {*getattr(seam, request.param), "zodiac"})
        seam.models.cache_clear()
        return SENTENCE.format({"_TRY_COLUMNS": "TaskInstance", "_LOG_COLUMNS": "Log"}[request.param])

    yield missing
    planted.undo()
    seam.models.cache_clear()


def is_told(warnings: list[str], sentence: str, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the one warning is that sentence, without a traceback."""
    (warning,) = warnings
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and record.exc_info]
    return sentence in warning


@pytest.mark.parametrize("command", [["attempts"], ["explain", "--attempt"]])
def test_the_command_line_says_so(deploy: Any, plant: Callable[[], str], command: list[str]) -> None:
    deployment = deploy().trigger().start_run().run(record=FAILED).reported()
    sentence = plant()
    with pytest.raises(SystemExit) as ended:
        main([*command, deployment.dag.dag_id, "run", "work"])
    assert str(ended.value.code).startswith(sentence)


def test_the_report_says_so(database: None, plant: Callable[[], str]) -> None:
    sentence = plant()
    with pytest.raises(SystemExit) as ended:
        main(["report"])
    assert str(ended.value.code).startswith(sentence)


def test_a_store_that_has_moved_is_told_too(
    deploy: Any, monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]], caplog: Any
) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED)
    state_store._scopes.cache_clear()
    monkeypatch.setattr("airflow._shared.state.TaskScope", lambda dag_id, zodiac: None)
    try:
        with pytest.raises(SystemExit, match="TaskScope has no map_index, "):
            main(["attempts", deployment.dag.dag_id, "run", "work"])
        deployment.reported()
        assert deployment.row().queue == "cheap"
        assert is_told(warnings_of(), "does not know this version of Airflow: TaskScope has no", caplog)
    finally:
        monkeypatch.undo()
        state_store._scopes.cache_clear()


def test_the_scheduler_and_the_api_server_go_on(
    deploy: Any, plant: Callable[[], str], warnings_of: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    deployment = deploy(retries=1).trigger().start_run().run(record=FAILED)
    sentence = plant()
    deployment.reported().run().died()
    assert deployment.row().state == "up_for_retry"
    assert deployment.row().queue == "cheap"
    assert is_told(warnings_of(), sentence, caplog)


def test_a_placing_executor_queues_as_airflow_does(
    deploy: Any, plant: Callable[[], str], warnings_of: Callable[[], list[str]], caplog: pytest.LogCaptureFixture,
    configure: Callable[..., None],
) -> None:  # fmt: skip
    configure(compute="queue", compute_options='{"spot": "cheap", "on_demand": "safe"}', session_events="False")
    deployment = deploy(retries=0).trigger().start_run().queue()
    executor = InterruptibleLocalExecutor()
    with create_session(scoped=False) as session:
        workload = ExecuteTask.make(deployment._ti(session))
        sentence = plant()
        executor.queue_workload(workload, session)
        executor.queue_workload(workload, session)
    assert len(executor.queued_tasks) == 1
    assert is_told(warnings_of(), sentence, caplog)


def test_nobody_looks_for_lost_machines(
    plant: Callable[[], str],
    configure: Callable[..., None],
    warnings_of: Callable[[], list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure(late_heartbeat="30")
    sentence = plant()
    Patrol("late_heartbeat", lookout._begin, "They wait.")._walk(7)
    assert is_told(warnings_of(), sentence, caplog)


def test_nor_where_heartbeats_have_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "_COLUMNS", {"id", "zodiac"})
    with pytest.raises(seam.SeamChangedError, match="TaskInstance has no zodiac"):
        overdue.check()
