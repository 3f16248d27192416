# SPDX-License-Identifier: Apache-2.0
"""What must hold for every task, every budget and every way to die."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.history import History, Trace, replay
from airflow_interruptible.core.plan import simulate
from airflow_interruptible.core.verdict import REASON_LIMIT, decide

if TYPE_CHECKING:
    from collections.abc import Mapping

ON_DEMAND = CapacityType.ON_DEMAND
SYSTEM_CAUSES = [cause for cause in Cause if cause.charge is Charge.SYSTEM]
FAILURES = [ending for ending in Ending if ending not in (Ending.SUCCESS, Ending.CLEARED)]

budgets = st.builds(Budget, st.integers(0, 5), st.integers(0, 5))
capacities = st.sampled_from(CapacityType)
traces = st.none() | st.builds(
    Trace, capacity=st.none() | capacities, cause=st.none() | st.sampled_from(Cause), started=st.booleans()
)


def histories(*interruptible: bool) -> st.SearchStrategy[History]:
    """Whatever may have happened to a task, the impossible included."""
    settings = st.sampled_from(interruptible or (True, False))
    return st.builds(_history, budgets, settings, st.lists(traces, max_size=12), st.integers(0, 5))


def _history(budget: Budget, interruptible: bool, left: list[Trace | None], base: int) -> History:
    history = History(interruptible, Account(budget), base)
    for trace in left:
        history = history.after(trace)
    return history


def numbered(left: list[Trace | None]) -> Mapping[int, Trace]:
    return {number: trace for number, trace in enumerate(left, start=1) if trace is not None}


@given(histories(), st.sampled_from(SYSTEM_CAUSES), st.none() | capacities)
def test_a_forgiven_failure_costs_the_author_nothing(
    history: History, cause: Cause, capacity: CapacityType | None
) -> None:
    assume(history.account.system_retries_left)
    after = history.after(Trace(capacity, cause))
    assert after.account.user_retries_left == history.account.user_retries_left
    assert after.account.system_retries_left == history.account.system_retries_left - 1
    assert after.account.exhausted == history.account.exhausted


@given(histories())
def test_the_last_user_attempt_is_on_demand(history: History) -> None:
    assume(history.user_attempt > history.account.budget.user_retries)
    assert history.next_placement.capacity is ON_DEMAND


@given(histories(False))
def test_a_task_that_is_not_interruptible_is_always_on_demand(history: History) -> None:
    assert history.next_placement.capacity is ON_DEMAND


@given(budgets, st.lists(st.sampled_from(FAILURES), min_size=20, max_size=20))
def test_a_task_fails_after_at_most_one_attempt_and_both_budgets(budget: Budget, endings: list[Ending]) -> None:
    plan = simulate(budget, True, endings)
    assert plan.final == "failed"
    assert budget.user_retries + 1 <= len(plan.attempts) <= 1 + budget.user_retries + budget.system_retries


@given(budgets, st.booleans(), st.lists(st.sampled_from(FAILURES), min_size=20, max_size=20))
def test_the_attempt_that_fails_the_task_ran_on_demand(
    budget: Budget, interruptible: bool, endings: list[Ending]
) -> None:
    assert simulate(budget, interruptible, endings).attempts[-1].capacity is ON_DEMAND


@given(histories(), st.sampled_from(SYSTEM_CAUSES))
def test_with_nothing_left_to_forgive_the_next_attempt_is_on_demand(history: History, cause: Cause) -> None:
    after = history.after(Trace(None, cause))
    assume(after.account.budget.system_retries and not after.account.system_retries_left)
    assert after.next_placement.capacity is ON_DEMAND


@given(histories())
def test_a_shortage_sends_exactly_the_next_attempt_on_demand(history: History) -> None:
    short = history.after(Trace(None, Cause.NO_CAPACITY))
    assert short.next_placement.capacity is ON_DEMAND
    after = short.after(Trace(None, Cause.SPOT_INTERRUPTION))
    other = history.after(Trace(None, Cause.INFRASTRUCTURE)).after(Trace(None, Cause.SPOT_INTERRUPTION))
    assert after.next_placement == other.next_placement


@given(budgets, st.booleans(), st.lists(traces, max_size=12), st.data())
def test_charges_are_a_fold(budget: Budget, interruptible: bool, left: list[Trace | None], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(left)))
    whole = replay(budget, interruptible, numbered(left), before=len(left) + 1)
    prefix = replay(budget, interruptible, numbered(left), before=cut + 1)
    assert prefix.attempts == whole.attempts[:cut]
    for trace in left[cut:]:
        prefix = prefix.after(trace)
    assert prefix == whole


@given(budgets, st.booleans(), st.lists(traces, min_size=1, max_size=12), st.data())
def test_late_evidence_never_changes_what_came_before_it(
    budget: Budget, interruptible: bool, left: list[Trace | None], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(left) - 1))
    cause = data.draw(st.sampled_from(Cause))
    revised = [*left]
    revised[index] = replace(left[index] or Trace(started=False), cause=cause)
    before = replay(budget, interruptible, numbered(left), before=len(left) + 1)
    after = replay(budget, interruptible, numbered(revised), before=len(left) + 1)
    assert after.attempts[:index] == before.attempts[:index]
    assert after.attempts[index].cause is cause


@given(budgets, st.booleans(), st.lists(traces, max_size=12))
def test_every_failure_is_charged_once(budget: Budget, interruptible: bool, left: list[Trace | None]) -> None:
    history = replay(budget, interruptible, numbered(left), before=len(left) + 1)
    charges = [attempt.charge for attempt in history.attempts]
    assert charges.count(Charge.USER) == history.account.user_failures
    assert charges.count(Charge.SYSTEM) == history.account.system_failures <= budget.system_retries
    assert [attempt.number for attempt in history.attempts] == list(range(1, len(left) + 1))


@given(histories(), traces, st.text(st.characters(exclude_categories=()), max_size=700))
def test_there_is_always_a_verdict_and_it_says_why_in_one_line(
    history: History, trace: Trace | None, evidence: str
) -> None:
    verdict = decide(history, trace, evidence)
    assert 0 < len(verdict.reason) <= REASON_LIMIT
    assert len(verdict.reason.splitlines()) == 1
    assert verdict.reason.encode(), "it travels as JSON: half a surrogate pair would keep the worker from reporting"
    assert "\0" not in verdict.reason, "PostgreSQL refuses it"
    assert verdict.retry is (verdict.history.account.user_failures <= history.account.budget.user_retries)
    assert verdict.history.attempts[:-1] == history.attempts


@given(budgets, st.booleans(), st.lists(st.sampled_from(FAILURES), max_size=12))
def test_plan_and_replay_are_the_same_rule(budget: Budget, interruptible: bool, endings: list[Ending]) -> None:
    plan = simulate(budget, interruptible, endings)
    told: dict[int, Trace] = {}
    for attempt, ending in zip(plan.attempts, endings, strict=False):
        told[attempt.attempt] = Trace(attempt.capacity, ending.cause_on(attempt.capacity))
    history = replay(budget, interruptible, told, before=len(plan.attempts) + 1)
    assert [(a.number, a.capacity, a.charge) for a in history.attempts] == [
        (a.attempt, a.capacity, a.charge) for a in plan.attempts
    ]
    assert history.account.exhausted == (plan.final == "failed")
    if plan.upcoming is not None:
        assert history.next_placement.capacity is plan.upcoming


@given(budgets, st.booleans(), st.lists(st.sampled_from([Ending.VANISHED, Ending.NEVER_STARTED]), max_size=12))
def test_a_gap_in_the_records_is_played_as_the_ending_it_is_taken_for(
    budget: Budget, interruptible: bool, endings: list[Ending]
) -> None:
    plan = simulate(budget, interruptible, endings)
    started = {n: Trace() for n, ending in enumerate(endings, start=1) if ending is Ending.VANISHED}
    history = replay(budget, interruptible, started, before=len(plan.attempts) + 1)
    assert [(a.capacity, a.charge) for a in history.attempts] == [(a.capacity, a.charge) for a in plan.attempts]
    assert [a.presumed for a in history.attempts] == endings[: len(plan.attempts)]


@given(budgets, st.booleans(), st.lists(st.sampled_from(FAILURES), max_size=8), st.lists(st.sampled_from(FAILURES)))
def test_a_clear_starts_both_budgets_afresh(
    budget: Budget, interruptible: bool, before: list[Ending], after: list[Ending]
) -> None:
    assume(simulate(budget, interruptible, before).final == "running")
    cleared = simulate(budget, interruptible, [*before, Ending.CLEARED, *after])
    fresh = simulate(budget, interruptible, after)
    shift = len(before) + 1
    assert cleared.attempts[shift:] == tuple(replace(a, attempt=a.attempt + shift) for a in fresh.attempts)
    assert (cleared.final, cleared.upcoming) == (fresh.final, fresh.upcoming)
