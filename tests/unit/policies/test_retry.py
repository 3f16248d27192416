# SPDX-License-Identifier: Apache-2.0
"""What Airflow is told when an exception ended an attempt."""

from __future__ import annotations

import copy
import pickle
import random
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_interruptible import interruptible
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.delay import LONGEST_AUTHOR_DELAY, AuthorBackoff
from airflow_interruptible.core.verdict import REASON_LIMIT
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.ledger import KEY, Record
from airflow_interruptible.policies.retry import InterruptibleRetryPolicy
from airflow_interruptible.worker.attempt import attempt

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
MINUTE = timedelta(minutes=1)


@dataclass
class Author(RetryPolicy):
    """An author's policy that always says the same, and remembers what it was asked."""

    answer: RetryDecision
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        self.asked.append((type(exception).__name__, try_number, max_tries))
        return self.answer


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_interruptible.policies.retry._random", SimpleNamespace(random=lambda: 0.5))


def fail(bench: Any, *errors: BaseException) -> RetryDecision:
    """Fail one attempt after the other; the last decision."""
    *earlier, last = errors
    for error in earlier:
        bench.evaluate(error)
        bench.next_try()
    decision: RetryDecision = bench.evaluate(last)
    return decision


def interrupted() -> Interrupted:
    return Interrupted("SIGTERM")


def test_an_interruption_is_forgiven(bench: Any) -> None:
    bench = bench(retries=0)
    decision = fail(bench, interrupted())
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(0)
    assert "forgiven: system retry 1 of 3" in str(decision.reason)


def test_the_error_is_told_in_its_own_words_and_an_interruption_is_none(bench: Any) -> None:
    bench = bench(retries=1)
    fail(bench, interrupted(), ValueError("time data '2026-13-01' does not match"))
    assert [record.error for record in bench.ledger.records.values()] == [
        None,
        "ValueError: time data '2026-13-01' does not match",
    ]


def test_what_fails_after_a_signal_outside_of_execute_is_forgiven(bench: Any) -> None:
    """Nothing watches there: Airflow calls on_kill and goes on, to push the result from a machine that goes away."""
    bench = bench()
    with attempt(bench.task, bench.context):
        pass
    bench.task.on_kill()
    assert "told to stop outside of execute; then ConnectionError" in str(fail(bench, ConnectionError()).reason)
    assert bench.ledger.records[1].charge is Charge.SYSTEM


def test_a_signal_after_an_error_does_not_excuse_it(bench: Any) -> None:
    bench, error = bench(), KeyError()
    with pytest.raises(KeyError), attempt(bench.task, bench.context):
        raise error
    bench.task.on_kill()
    fail(bench, error)
    assert bench.ledger.records[1].charge is Charge.USER


def test_a_time_out_that_calls_on_kill_is_the_author_s(bench: Any) -> None:
    bench = bench()
    bench.task.on_kill()
    fail(bench, AirflowTaskTimeout())
    assert bench.ledger.records[1].charge is Charge.USER


def test_a_signal_before_a_mapped_task_is_expanded_is_forgiven(bench: Any) -> None:
    """Airflow's handler calls the on_kill that a mapped operator does not have."""
    bench = bench()
    with DAG("dag", schedule=None):
        mapped: Any = interruptible(EmptyOperator).partial(task_id="work", interruptible=True).expand(doc=["a"])
    bench.task = bench.ti.task = mapped
    with pytest.raises(AttributeError) as raised:
        mapped.on_kill()
    fail(bench, raised.value)
    assert bench.ledger.records[1].charge is Charge.SYSTEM


def test_it_is_written_down(bench: Any) -> None:
    bench = bench()
    decision = fail(bench, interrupted())
    record = bench.ledger.records[1]
    assert (record.capacity, record.cause, record.charge) == (SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM)
    assert record.started is not None, "an attempt that reports has started, even if execute was never entered"
    assert record.ended is not None
    assert decision.reason is not None
    assert decision.reason.startswith(str(record.reason))


def test_an_interruption_on_demand_is_no_reclaim(bench: Any) -> None:
    bench = bench(interruptible=False)
    fail(bench, interrupted())
    assert bench.ledger.records[1].cause is Cause.INFRASTRUCTURE


def test_interruptions_in_a_row_wait_longer_and_longer(bench: Any) -> None:
    bench = bench(system_retries=5, system_retry_delay=20)
    delays = [fail(bench.next_try() if number else bench, interrupted()).retry_delay for number in range(4)]
    assert delays == [timedelta(seconds=seconds) for seconds in (0, 10, 20, 40)]


def test_an_application_error_breaks_the_row(bench: Any) -> None:
    bench = bench(system_retries=5)
    assert fail(bench, interrupted(), interrupted(), ValueError(), interrupted()).retry_delay == timedelta(0)


def test_application_errors_spend_the_author_s_retries(bench: Any) -> None:
    bench = bench(retries=1)
    assert fail(bench, ValueError()).action is RetryAction.RETRY
    decision = fail(bench.next_try(), ValueError())
    assert decision.action is RetryAction.FAIL
    assert decision.reason == (
        "attempt 2 failed (ValueError); charged to the author: user failure 2, 1 retries; no retries left"
    )


def test_without_retries_the_first_error_fails_the_task_though_airflow_would_retry(bench: Any) -> None:
    bench = bench(retries=0)
    assert bench.ti.max_tries == 3
    assert fail(bench, ValueError()).action is RetryAction.FAIL


def test_interruptions_do_not_shorten_the_author_s_budget(bench: Any) -> None:
    bench = bench(retries=1)
    assert fail(bench, interrupted(), ValueError(), interrupted()).action is RetryAction.RETRY
    assert fail(bench.next_try(), ValueError()).action is RetryAction.FAIL


def test_an_interruption_fails_the_task_when_nobody_can_pay(bench: Any) -> None:
    bench = bench(retries=0, system_retries=1)
    assert fail(bench, interrupted()).action is RetryAction.RETRY
    assert fail(bench.next_try(), interrupted()).action is RetryAction.FAIL


def test_an_attempt_that_nobody_reported_is_counted_first(bench: Any) -> None:
    bench = bench(retries=1).next_try()
    fail(bench, ValueError())
    assert bench.ledger.records[1].charge is Charge.SYSTEM
    assert bench.ledger.records[2].charge is Charge.USER


def test_a_clear_starts_both_budgets_afresh(bench: Any) -> None:
    bench = bench(retries=0)
    assert fail(bench, ValueError()).action is RetryAction.FAIL
    assert fail(bench.clear(), interrupted()).action is RetryAction.RETRY
    assert fail(bench.next_try(), ValueError()).action is RetryAction.FAIL


def test_reasons_fit_where_airflow_keeps_them(bench: Any) -> None:
    error = type("E" * 2000, (Exception,), {})()
    assert len(str(fail(bench(), error).reason)) <= REASON_LIMIT


# -- when the author's error is retried


def test_the_author_s_delay_counts_user_attempts(bench: Any) -> None:
    bench = bench(retries=5, retry_delay=MINUTE, retry_exponential_backoff=2)
    assert fail(bench, interrupted(), interrupted(), ValueError()).retry_delay == 1.5 * MINUTE
    assert fail(bench.next_try(), ValueError()).retry_delay == 3 * MINUTE


def test_a_plain_delay_is_taken_as_it_is(bench: Any) -> None:
    assert fail(bench(retry_delay=MINUTE), ValueError()).retry_delay == MINUTE


def test_the_author_s_ceiling_holds(bench: Any) -> None:
    bench = bench(retries=5, retry_delay=MINUTE, retry_exponential_backoff=10, max_retry_delay=2 * MINUTE)
    assert fail(bench, ValueError(), ValueError(), ValueError()).retry_delay == 2 * MINUTE


def test_a_backoff_of_true_doubles_as_it_does_in_airflow_s_scheduler(bench: Any) -> None:
    """The form of Airflow 2: read back from a serialised Dag, it is 2."""
    bench = bench(retries=5, retry_delay=MINUTE, retry_exponential_backoff=True)
    assert fail(bench, ValueError(), ValueError()).retry_delay == 3 * MINUTE


def test_airflow_s_ceiling_is_the_one_we_know() -> None:
    from airflow.sdk.definitions._internal.abstractoperator import MAX_RETRY_DELAY

    assert timedelta(seconds=MAX_RETRY_DELAY) == LONGEST_AUTHOR_DELAY


@pytest.mark.parametrize("multiplier", [0, True, 1.5, 2, 7])
@pytest.mark.parametrize("try_number", [1, 2, 5, 40])
@pytest.mark.parametrize("longest", [None, timedelta(minutes=10)])
def test_the_formula_is_airflow_s(multiplier: float, try_number: int, longest: timedelta | None) -> None:
    """Airflow's jitter is a hash: its delay must lie where ours can lie."""
    from types import SimpleNamespace

    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.timezone import utcnow

    end = utcnow()
    task: Any = SimpleNamespace(retry_delay=MINUTE, retry_exponential_backoff=multiplier, max_retry_delay=longest)
    ti: Any = SimpleNamespace(
        retry_delay_override=None,
        task=task,
        try_number=try_number,
        end_date=end,
        state=None,  # else the number is that of the try to come, from Airflow 3.4 on
        dag_id="d",
        task_id="t",
        logical_date=None,
    )
    next_retry: Any = TaskInstance.next_retry_datetime
    airflow_s = next_retry(ti) - end
    ours = AuthorBackoff(MINUTE, float(multiplier), longest)
    assert ours.delay(try_number, 0.0) <= airflow_s <= ours.delay(try_number, 1.0)


# -- the author's own policy


def test_the_author_s_policy_is_asked_with_user_attempts(bench: Any) -> None:
    author = Author(RetryDecision.default())
    bench = bench(retries=3, retry_policy=author)
    fail(bench, interrupted(), ValueError(), interrupted(), KeyError())
    assert author.asked == [("ValueError", 1, 3), ("KeyError", 2, 3)]


def test_it_is_not_asked_when_the_budget_is_spent_anyway(bench: Any) -> None:
    author = Author(RetryDecision.retry())
    assert fail(bench(retries=0, retry_policy=author), ValueError()).action is RetryAction.FAIL
    may_reschedule = hasattr(RetryAction, "RESCHEDULE")  # which needs no retry, so it has to be asked for
    assert author.asked == ([("ValueError", 1, 0)] if may_reschedule else [])


def test_it_may_give_up(bench: Any) -> None:
    bench = bench(retry_policy=Author(RetryDecision.fail("quota")))
    assert fail(bench, ValueError()) == RetryDecision.fail("quota")
    assert bench.ledger.records[1].charge is Charge.USER


def test_it_may_choose_delay_and_reason(bench: Any) -> None:
    decision = RetryDecision.retry(7 * MINUTE, "rate limit")
    assert fail(bench(retry_policy=Author(decision)), ValueError()) == decision


def test_its_delay_without_a_reason_gets_ours(bench: Any) -> None:
    decision = fail(bench(retry_policy=Author(RetryDecision.retry(MINUTE))), ValueError())
    assert decision.retry_delay == MINUTE
    assert "charged to the author" in str(decision.reason)


def test_its_reason_without_a_delay_is_kept(bench: Any) -> None:
    """``retry(reason=...)`` means: the task's own delay, and this reason."""
    answer = Author(RetryDecision.retry(reason="rate limit"))
    decision = fail(bench(retry_policy=answer, retry_delay=MINUTE), ValueError())
    assert (decision.retry_delay, decision.reason) == (MINUTE, "rate limit")


def test_its_default_is_the_author_s_delay(bench: Any) -> None:
    decision = fail(bench(retry_policy=Author(RetryDecision.default()), retry_delay=MINUTE), ValueError())
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, MINUTE)


def test_around_wraps_once() -> None:
    author = Author(RetryDecision.default())
    wrapped = InterruptibleRetryPolicy.around(author)
    assert wrapped.author is author
    assert InterruptibleRetryPolicy.around(wrapped) is wrapped
    assert InterruptibleRetryPolicy.around(None).author is None


def test_it_can_be_copied_and_pickled() -> None:
    policy = InterruptibleRetryPolicy.around(None)
    assert copy.deepcopy(policy) == pickle.loads(pickle.dumps(policy)) == policy


# -- what it never does


@pytest.mark.parametrize("state", ["restarting", "failed", "success", "skipped", "removed"])
@pytest.mark.parametrize("error", [Interrupted("SIGTERM"), ValueError()])
def test_a_person_s_action_leaves_no_trace(bench: Any, state: str, error: BaseException) -> None:
    bench = bench()
    bench.ti.server_state = state
    assert fail(bench, error) == RetryDecision.default()
    assert bench.store.values == {}


def test_without_a_context_airflow_s_own_rule_applies(bench: Any, warnings_of: Callable[[], list[str]]) -> None:
    policy = bench().task.retry_policy
    assert policy.evaluate(ValueError(), 1, 5) == RetryDecision.default()
    assert len(warnings_of()) == 1


@pytest.mark.parametrize("error", [Interrupted("SIGTERM"), ValueError()])
def test_a_store_that_cannot_be_read_costs_the_accounting_and_one_warning(
    bench: Any, warnings_of: Callable[[], list[str]], error: BaseException
) -> None:
    bench = bench()
    bench.store.down = frozenset({"get"})
    assert fail(bench, error) == RetryDecision.default()
    assert len(warnings_of()) == 1


def test_a_store_that_cannot_be_written_costs_one_warning(bench: Any, warnings_of: Callable[[], list[str]]) -> None:
    bench = bench(retries=1)
    bench.store.down = frozenset({"set"})
    assert fail(bench, interrupted()).action is RetryAction.RETRY
    assert len(warnings_of()) == 1


def test_a_store_that_cannot_be_written_does_not_undo_a_failure(bench: Any) -> None:
    bench = bench(retries=0)
    bench.store.down = frozenset({"set"})
    assert fail(bench, ValueError()).action is RetryAction.FAIL


@pytest.mark.parametrize(
    "rubbish",
    [
        "x",
        0,
        [],
        {},
        {"version": 2, "max_tries": 5, "bases": [0], "attempts": {}},
        {"version": 1, "max_tries": 5, "bases": [], "attempts": {}},
        {"version": 1, "max_tries": "5", "bases": [0], "attempts": {}},
        {"version": 1, "max_tries": 5, "bases": [0], "attempts": {"1": {"cause": "bad luck"}}},
        {"version": 1, "max_tries": 5, "bases": [0], "attempts": {"one": {}}},
    ],
)
def test_rubbish_in_the_ledger_is_left_as_it_is(
    bench: Any, warnings_of: Callable[[], list[str]], rubbish: object
) -> None:
    bench = bench()
    bench.store.set(KEY, rubbish)
    assert fail(bench, interrupted()).action is RetryAction.DEFAULT, "Airflow's own retries apply"
    assert bench.store.get(KEY) == rubbish
    assert len(warnings_of()) == 1


def test_a_server_that_cannot_be_asked_does_not_stop_the_accounting(bench: Any) -> None:
    bench = bench()
    bench.ti.server_state = "unreachable"
    assert fail(bench, interrupted()).action is RetryAction.RETRY
    assert bench.ledger.records[1].cause is Cause.SPOT_INTERRUPTION


def test_where_the_server_placed_it_is_believed(bench: Any) -> None:
    """On demand because the queue was stuck: a machine lost there was not reclaimed."""
    bench = bench()
    from airflow_interruptible.ledger import Ledger

    bench.store.set(KEY, Ledger(bench.ti.max_tries).with_record(1, Record(ON_DEMAND)).to_json())
    fail(bench, interrupted())
    assert bench.ledger.records[1].cause is Cause.INFRASTRUCTURE


def test_a_storm_is_spread_out_though_every_author_seeds_alike(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_interruptible.policies.retry._random", random.SystemRandom())
    bench, delays = bench(retries=1, system_retries=9), set()
    for _ in range(6):
        random.seed(0)
        state = random.getstate()
        delays.add(bench.evaluate(Interrupted("SIGTERM")).retry_delay)
        assert random.getstate() == state
        bench.next_try()
    assert len(delays) == 6, "the first of a row is at once, the others are drawn"


@pytest.mark.parametrize("retries", [0, 2])
def test_an_author_who_reschedules_is_obeyed_and_charged_nothing(
    bench: Any, monkeypatch: pytest.MonkeyPatch, retries: int
) -> None:
    """``RetryAction.RESCHEDULE`` of Airflow 3.4: the same try goes on later, also where no retry is left."""
    reschedule: Any = SimpleNamespace(action="reschedule", reason="no slot free")
    monkeypatch.setattr("airflow_interruptible.policies.retry._RESCHEDULE", "reschedule")
    bench = bench(retries=retries, retry_policy=Author(reschedule))
    with attempt(bench.task, bench.context):
        pass
    assert bench.evaluate(ValueError("full")) is reschedule
    record = bench.ledger.records[1]
    assert (record.cause, record.charge, record.ended) == (None, None, None)
    assert record.left is not None
    with attempt(bench.task, bench.context):
        pass
    assert list(bench.ledger.records) == [1]


def test_an_author_s_policy_that_raises_is_counted_once(bench: Any) -> None:
    class Broken(RetryPolicy):
        def evaluate(self, *_: Any, **__: Any) -> RetryDecision:
            raise ZeroDivisionError

    bench = bench(retries=2, retry_policy=Broken())
    with pytest.raises(ZeroDivisionError):
        bench.evaluate(ValueError())
    assert bench.ledger.records[1].charge is Charge.USER
