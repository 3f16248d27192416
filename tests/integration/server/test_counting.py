# SPDX-License-Identifier: Apache-2.0
"""What the server counts: the ends that no worker reported, once they are committed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.ledger import Record

STARTED = "2026-01-01T00:00:00.000+00:00"
RUNNING = Record(CapacityType.SPOT, started=STARTED)
FORGIVEN = ["interruptions", "forgiven"]


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """What is counted and timed: name, cause, capacity."""
    found: list[tuple[str, str, str]] = []

    def keep(stat: str, *_: Any, tags: dict[str, str]) -> None:
        assert tags["task_id"] == "work"
        found.append((stat.removeprefix("interruptible."), tags["cause"], tags["capacity"]))

    stats = SimpleNamespace(incr=keep, timing=keep)
    monkeypatch.setattr("airflow_interruptible.server.placing.stats_of", lambda _: stats)
    return found


def test_a_silent_death_is_counted_by_who_notices(deploy: Any, counts: list[tuple[str, str, str]]) -> None:
    deploy().trigger().start_run().run(record=RUNNING).died()
    assert counts == [(name, "spot_interruption", "spot") for name in (*FORGIVEN, "lost")]


def test_one_that_the_author_pays_for_is_no_interruption(deploy: Any, counts: list[tuple[str, str, str]]) -> None:
    on_demand = Record(CapacityType.ON_DEMAND, started=STARTED)
    deploy(retries=0).trigger().start_run().run(record=on_demand).died()
    assert counts == []


@pytest.mark.parametrize("cause", [Cause.SPOT_INTERRUPTION, Cause.APPLICATION])
def test_what_the_worker_reported_the_worker_has_counted(
    deploy: Any, counts: list[tuple[str, str, str]], cause: Cause
) -> None:
    deploy().trigger().start_run().run(record=Record(CapacityType.SPOT, cause, started=STARTED)).reported()
    deploy().trigger().start_run().run(record=Record(CapacityType.SPOT, cause, started=STARTED)).died()
    assert counts == []


def test_a_report_that_is_not_in_the_ledger_is_left_to_the_next_attempt(
    deploy: Any, counts: list[tuple[str, str, str]]
) -> None:
    deploy().trigger().start_run().run(record=RUNNING).reported()
    assert counts == []


def test_an_end_before_that_stays_uncounted_is_left_to_it_too(deploy: Any, counts: list[tuple[str, str, str]]) -> None:
    deployment = deploy(system_retries=1).trigger().start_run().run(record=RUNNING).reported()
    deployment.run(record=Record(CapacityType.ON_DEMAND, started=STARTED)).died()
    assert counts == []


def test_an_attempt_that_never_started_has_lost_no_time(deploy: Any, counts: list[tuple[str, str, str]]) -> None:
    deployment = deploy().trigger().start_run().queue().died()
    assert counts == [(name, "infrastructure", "spot") for name in FORGIVEN]
    assert deployment.ledger().records[1].why == "the task is interruptible"


def test_an_attempt_that_was_only_moved_has_found_no_capacity(deploy: Any, counts: list[tuple[str, str, str]]) -> None:
    deployment = deploy().trigger().start_run().queue().stuck()
    assert counts == [("no_capacity", "no_capacity", "spot")]
    assert deployment.ledger().records[1].why == "no spot capacity could be found for it"


def test_a_clear_is_no_interruption(deploy: Any, counts: list[tuple[str, str, str]]) -> None:
    deploy().trigger().start_run().run(record=RUNNING).cleared()
    assert counts == []


def test_a_transaction_that_fails_has_counted_nothing(
    deploy: Any, counts: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler does it again, and then it counts."""
    from sqlalchemy.orm import Session

    deployment = deploy().trigger().start_run().run(record=RUNNING)
    with monkeypatch.context() as broken:
        broken.setattr(Session, "commit", lambda _: (_ for _ in ()).throw(ConnectionError))
        with pytest.raises(ConnectionError):
            deployment.died()
    assert counts == []
    deployment.died()
    assert len(counts) == 3
