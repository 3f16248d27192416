# SPDX-License-Identifier: Apache-2.0
"""What an exception says about the cause, and how a person's action is told from a machine's."""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.payload import read
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.notices import Notice, NoticeKind
from airflow_interruptible.rules import DEFAULT_SURFACES
from airflow_interruptible.worker.fate import Fate, ended_by_a_person, fate_of

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def test_a_bare_signal_is_a_reclaim_only_where_machines_are_reclaimed() -> None:
    assert fate_of(Interrupted("SIGTERM"), SPOT) == Fate(Cause.SPOT_INTERRUPTION, "SIGTERM")
    assert fate_of(Interrupted("SIGTERM"), ON_DEMAND) == Fate(Cause.INFRASTRUCTURE, "SIGTERM")


@pytest.mark.parametrize("capacity", CapacityType)
@pytest.mark.parametrize(
    ("provider", "kind", "cause"),
    [
        ("ec2", NoticeKind.STOP, Cause.SPOT_INTERRUPTION),
        ("azure", NoticeKind.PREEMPT, Cause.SPOT_INTERRUPTION),
        ("azure", NoticeKind.TERMINATE, Cause.INFRASTRUCTURE),
    ],
)
def test_a_notice_names_its_cause_wherever_it_is_heard(
    capacity: CapacityType, provider: str, kind: NoticeKind, cause: Cause
) -> None:
    interruption = Interrupted("SIGTERM")
    interruption.notice = Notice(provider, kind, None, datetime.now(timezone.utc))
    assert fate_of(interruption, capacity) == Fate(cause, str(interruption.notice))


@pytest.mark.parametrize("error", [ValueError("x"), TimeoutError(), MemoryError(), KeyboardInterrupt(), SystemExit(1)])
def test_anything_else_is_the_authors(error: BaseException) -> None:
    assert fate_of(error, SPOT) == fate_of(error, ON_DEMAND) == Fate(Cause.APPLICATION, type(error).__name__)


@pytest.mark.parametrize("words", ["Interrupted", "SIGTERM: the machine of this attempt was told to stop"])
def test_the_words_of_an_error_prove_nothing(words: str) -> None:
    assert fate_of(RuntimeError(words), SPOT).cause is Cause.APPLICATION


def test_evidence_that_a_rule_forgives_counts_and_names_the_rule() -> None:
    stopped = read("ecs", "stoppedReason/stopCode", {"stopCode": "SpotInterruption"}, surfaces=DEFAULT_SURFACES)
    fate = fate_of(RuntimeError("This task is not in success state"), SPOT, stopped)
    assert fate.cause is Cause.SPOT_INTERRUPTION
    assert fate.rule == "ecs/spot-stop-code"
    assert "SpotInterruption" in fate.evidence


def test_a_remote_job_that_a_person_stopped_is_not_retried_for_free() -> None:
    stopped = read("ecs", "stoppedReason/stopCode", {"stopCode": "UserInitiated"}, surfaces=DEFAULT_SURFACES)
    assert fate_of(RuntimeError("stopped"), SPOT, stopped).cause is Cause.APPLICATION


@pytest.mark.parametrize(
    ("state", "person"),
    [("running", False), (None, False), ("restarting", True), ("failed", True), ("success", True), ("removed", True)],
)
@pytest.mark.parametrize("map_index", [-1, 0, 7])
def test_a_person_has_moved_it_out_of_running(bench: Any, state: str | None, person: bool, map_index: int) -> None:
    ti = bench().ti
    ti.server_state, ti.map_index = state, map_index
    assert ended_by_a_person(ti) is person
    assert ti.asked == [
        {
            "dag_id": "dag",
            "task_ids": ["work"],
            "run_ids": ["run"],
            "map_index": map_index if map_index >= 0 else None,
        }
    ]


def test_a_state_may_come_as_an_enum(bench: Any) -> None:
    class State(str, Enum):
        RUNNING = "running"
        RESTARTING = "restarting"

    ti = bench().ti
    ti.server_state = State.RUNNING
    assert not ended_by_a_person(ti)
    ti.server_state = State.RESTARTING
    assert ended_by_a_person(ti)


def test_where_nobody_can_be_asked_nobody_is_presumed_to_have_done_anything(
    bench: Any, warnings_of: Callable[[], list[str]]
) -> None:
    ti = bench().ti
    ti.server_state = "unreachable"
    assert not ended_by_a_person(ti)
    assert len(warnings_of()) == 1


def test_a_run_the_server_does_not_know_is_nobodys_action() -> None:
    ti = SimpleNamespace(dag_id="dag", task_id="work", run_id="run", map_index=None, get_task_states=lambda **_: {})
    assert not ended_by_a_person(ti)
