# SPDX-License-Identifier: Apache-2.0
"""The attempts of a task instance as people see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_interruptible.attempts import AttemptView, tell
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.ledger import Ledger, Record, Terms
from airflow_interruptible.marker import Marker
from airflow_interruptible.rules import DEFAULT_RULES
from airflow_interruptible.server.tries import TaskInstanceTries, Try

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
STARTED = START.isoformat()
BUDGET = Budget(1, 2)

RUNNING = Record(SPOT, started=STARTED)
INTERRUPTED = Record(SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM, STARTED, STARTED, "interrupted", {"host": "n1"})
FAILED = Record(SPOT, Cause.APPLICATION, Charge.USER, STARTED, STARTED, "failed")


def tries(*states: str | None, capacity: CapacityType = SPOT, marked: bool = True) -> list[Try]:
    marker = Marker(True, BUDGET, capacity, timedelta(seconds=10)) if marked else None
    return [
        Try(number, state, START, START + timedelta(minutes=number), f"host-{number}", marker)
        for number, state in enumerate(states, start=1)
    ]


def views(
    rows: list[Try], records: dict[int, Record], *, conf: dict[str, Any] | None = None, **ledger: Any
) -> list[AttemptView]:
    max_tries = ledger.pop("max_tries", BUDGET.total_retries)
    known = Ledger(max_tries if records else None, ledger.pop("bases", (0,)), records, ledger.pop("terms", None))
    return tell(TaskInstanceTries(rows, known, max_tries, conf or {})).attempts


def summary(attempts: list[AttemptView]) -> list[tuple[int, str | None, str | None]]:
    return [(a.attempt, a.cause and a.cause.value, a.charge and a.charge.value) for a in attempts]


def left(attempts: list[AttemptView]) -> list[tuple[int | None, int | None]]:
    return [(a.user_retries_left, a.system_retries_left) for a in attempts]


def test_a_task_that_is_not_annotated_is_shown_as_airflow_shows_it() -> None:
    (attempt,) = views(tries("failed", marked=False), {})
    assert attempt.to_json() == {
        "attempt": 1,
        "state": "failed",
        "capacity": None,
        "placed": None,
        "cause": None,
        "charge": None,
        "reason": None,
        "start": "2026-01-01T00:00:00+00:00",
        "end": "2026-01-01T00:01:00+00:00",
        "user_retries_left": None,
        "system_retries_left": None,
        "host": "host-1",
        "where": {},
        "rule": None,
        "why": None,
        "notice": None,
        "checkpoint": None,
        "error": None,
    }


def test_the_machine_form() -> None:
    attempt = views(tries("failed", "running"), {1: INTERRUPTED, 2: RUNNING})[0]
    assert attempt.to_json() == {
        "attempt": 1,
        "state": "failed",
        "capacity": "spot",
        "placed": True,
        "cause": "spot_interruption",
        "charge": "system",
        "reason": "interrupted",
        "start": "2026-01-01T00:00:00+00:00",
        "end": "2026-01-01T00:01:00+00:00",
        "user_retries_left": 1,
        "system_retries_left": 1,
        "host": "host-1",
        "where": {"host": "n1"},
        "rule": None,
        "why": None,
        "notice": None,
        "checkpoint": None,
        "error": None,
    }


def test_interruption_error_success() -> None:
    attempts = views(tries("failed", "failed", "success"), {1: INTERRUPTED, 2: FAILED, 3: Record(ON_DEMAND)})
    assert summary(attempts) == [(1, "spot_interruption", "system"), (2, "application", "user"), (3, None, "none")]
    assert left(attempts) == [(1, 1), (0, 1), (0, 1)]
    assert [a.capacity for a in attempts] == [SPOT, SPOT, ON_DEMAND]


@pytest.mark.parametrize("state", [None, "scheduled", "queued", "running", "deferred", "up_for_reschedule"])
def test_an_attempt_that_is_not_over_is_charged_to_nobody_yet(state: str | None) -> None:
    attempts = views(tries("failed", state), {1: INTERRUPTED, 2: RUNNING})
    assert summary(attempts)[-1] == (2, None, None)
    assert left(attempts)[-1] == (1, 1)


def test_an_attempt_that_never_began_has_no_row() -> None:
    """Airflow writes no history for a try that was lost in the queue."""
    rows = [row for row in tries("failed", "failed", "running") if row.number != 2]
    attempts = views(rows, {1: INTERRUPTED, 3: RUNNING})
    assert summary(attempts) == [
        (1, "spot_interruption", "system"),
        (2, "infrastructure", "system"),
        (3, None, None),
    ]
    assert attempts[1].state == "failed"
    assert attempts[1].start is None


def test_an_attempt_that_vanished_is_known_as_soon_as_the_next_one_runs() -> None:
    attempts = views(tries("failed", "running"), {1: RUNNING, 2: RUNNING})
    assert summary(attempts)[0] == (1, "spot_interruption", "system")


def test_an_attempt_that_the_server_judged_is_known_at_once() -> None:
    """The server leaves the cause open, for later evidence, and writes the charge."""
    judged = Record(SPOT, None, Charge.SYSTEM, STARTED, STARTED, "nobody reported its end")
    attempts = views(tries("failed"), {1: judged})
    assert summary(attempts) == [(1, "spot_interruption", "system")]
    assert left(attempts) == [(1, 1)]


def test_where_the_attempt_runs_is_known_before_it_reports() -> None:
    assert views(tries("queued", capacity=ON_DEMAND), {})[0].capacity is ON_DEMAND


# -- people


def test_marked_failed_while_it_ran() -> None:
    attempts = views(tries("failed"), {1: RUNNING})
    assert summary(attempts) == [(1, "user_action", "none")]
    assert left(attempts) == [(1, 2)]


@pytest.mark.parametrize("state", ["removed", "upstream_failed"])
def test_other_ends_that_are_no_failure(state: str) -> None:
    assert summary(views(tries(state), {1: RUNNING})) == [(1, "user_action", "none")]


@pytest.mark.parametrize("state", ["success", "skipped"])
def test_a_success_costs_nothing(state: str) -> None:
    assert summary(views(tries(state), {1: RUNNING})) == [(1, None, "none")]


def test_failed_after_the_last_try_was_no_person() -> None:
    """One user and two system retries are spent: Airflow itself ended it."""
    attempts = views(tries("failed", "failed", "failed", "failed"), dict.fromkeys((1, 2, 3, 4), RUNNING))
    assert summary(attempts)[-1][2] == "user"
    assert left(attempts)[-1] == (0, 0)


def test_a_clear_starts_both_budgets_afresh() -> None:
    cleared = Record(SPOT, Cause.USER_ACTION, Charge.NONE, STARTED, STARTED, "cleared by a person")
    attempts = views(
        tries("failed", "failed", "running"), {1: FAILED, 2: cleared, 3: RUNNING}, max_tries=5, bases=(0, 2)
    )
    assert summary(attempts) == [(1, "application", "user"), (2, "user_action", "none"), (3, None, None)]
    assert left(attempts) == [(0, 2), (0, 2), (1, 2)]


def test_a_failed_task_that_was_cleared_keeps_its_story() -> None:
    attempts = views(
        tries("failed", "failed", "success"), {1: FAILED, 2: FAILED, 3: RUNNING}, max_tries=5, bases=(0, 2)
    )
    assert summary(attempts) == [(1, "application", "user"), (2, "application", "user"), (3, None, "none")]
    assert left(attempts) == [(0, 2), (0, 2), (1, 2)]


def test_a_clear_that_no_worker_has_seen_yet() -> None:
    """The ledger still has the old ``max_tries``; Airflow's column has the new one."""
    rows = tries("failed", "failed", None)
    known = Ledger(3, (0,), {1: FAILED, 2: FAILED})
    attempts = tell(TaskInstanceTries(rows, known, 5, {})).attempts
    assert left(attempts)[-1] == (1, 2)


def test_clears_after_the_last_try_are_no_attempts() -> None:
    assert summary(views(tries("success"), {}, bases=(0, 10**9))) == [(1, None, "none")]


def test_an_attempt_that_was_refused_cost_nothing_itself() -> None:
    """It found the budget spent by an attempt that nobody had reported."""
    refused = Record(ON_DEMAND, None, Charge.NONE, None, STARTED, "started and never reported")
    lost = Record(ON_DEMAND, started=STARTED)
    attempts = views(tries("failed", "failed", "failed"), {1: FAILED, 2: lost, 3: refused})
    assert summary(attempts) == [(1, "application", "user"), (2, "unknown", "user"), (3, None, "none")]


# -- the run


def test_the_run_overrules_the_marker() -> None:
    lost = Record(None, Cause.INFRASTRUCTURE, Charge.SYSTEM, STARTED)
    (attempt,) = views(tries("failed"), {1: lost}, conf={"interruptible": False})
    assert attempt.capacity is ON_DEMAND


def test_no_tries_no_attempts() -> None:
    assert views([], {}) == []


# -- what Airflow's rows alone tell

SAID = "attempt {} on spot failed (ValueError); charged to the author: user failure {}, 1 retries; next on spot"


def said(rows: list[Try], *reasons: str | None) -> list[Try]:
    return [replace(row, reason=reason) for row, reason in zip(rows, reasons, strict=True)]


def test_a_ledger_that_is_gone_leaves_what_the_rows_say() -> None:
    """``[state_store] clear_on_success``."""
    rows = said(tries("failed", "failed", "success"), SAID.format(1, 1), None, None)
    assert summary(views(rows, {})) == [(1, "application", "user"), (2, "unknown", "user"), (3, None, "none")]


def test_a_worker_without_this_package_is_named() -> None:
    first, _ = views(tries("failed", "running"), {2: RUNNING})
    assert (first.cause, first.charge) == (Cause.UNKNOWN, Charge.USER)
    assert "does not have airflow-interruptible" in (first.reason or "")


def test_what_was_reported_and_not_recorded_has_not_vanished() -> None:
    first, _ = views(said(tries("failed", "running"), SAID.format(1, 1), None), {1: RUNNING, 2: RUNNING})
    assert (first.cause, first.charge, first.reason) == (Cause.APPLICATION, Charge.USER, SAID.format(1, 1))


def test_told_to_stop_and_silent_is_as_if_it_had_reported() -> None:
    told = replace(RUNNING, capacity=ON_DEMAND, told=STARTED)
    first, _ = views(tries("failed", "running"), {1: told, 2: RUNNING})
    assert (first.cause, first.charge) == (Cause.INFRASTRUCTURE, Charge.SYSTEM)


def test_a_failure_before_our_first_line_is_no_person_s_doing() -> None:
    """``AirflowFailException`` in ``pre_execute``, a conf that cannot be meant."""
    (only,) = views(tries("failed"), {})
    assert (only.cause, only.charge) == (Cause.UNKNOWN, Charge.USER)


def test_marked_failed_in_the_queue() -> None:
    (only,) = views([replace(row, start=None) for row in tries("failed")], {})
    assert (only.cause, only.charge) == (Cause.USER_ACTION, Charge.NONE)


def test_a_plain_attempt_before_the_task_was_annotated_is_the_authors() -> None:
    """``retries=1`` failed once; then the file says interruptible: attempt 2 is the last that Airflow allows."""
    rows = [replace(row, marker=None) if row.number == 1 else row for row in tries("failed", "running")]
    first, second = views(rows, {2: RUNNING}, max_tries=1)
    assert (first.cause, first.charge) == (Cause.UNKNOWN, Charge.USER)
    assert second.due is not None
    assert second.due.capacity is ON_DEMAND


def test_what_the_last_worker_counted_by_counts() -> None:
    """``retries`` and ``system_retries`` were edited between attempts; the marker is as old as the row."""
    terms = Terms(Budget(0, 1), interruptible=True)
    attempts = views(tries("failed", "running"), {1: INTERRUPTED, 2: RUNNING}, terms=terms)
    assert left(attempts) == [(0, 0), (0, 0)]


def test_without_a_marker_the_ledger_tells() -> None:
    """``dag.test()`` makes rows without one."""
    rows = tries("failed", "success", marked=False)
    attempts = views(rows, {1: INTERRUPTED, 2: RUNNING}, terms=Terms(BUDGET, interruptible=True))
    assert summary(attempts) == [(1, "spot_interruption", "system"), (2, None, "none")]


def test_the_oldest_generations_are_shown_though_the_ledger_has_dropped_them() -> None:
    attempts = views(tries("failed", "failed", "failed", "running"), {4: RUNNING}, bases=(2, 3), max_tries=6)
    assert [attempt.attempt for attempt in attempts] == [1, 2, 3, 4]


def test_a_rule_that_there_is_not_is_not_shown() -> None:
    forged, known = replace(INTERRUPTED, rule="no/such-rule"), replace(INTERRUPTED, rule=DEFAULT_RULES[0].id)
    first, second, _ = views(tries("failed", "failed", "running"), {1: forged, 2: known, 3: RUNNING})
    assert first.rule is None
    assert second.rule == known.rule
