# SPDX-License-Identifier: Apache-2.0
"""One attempt, from the first line of ``execute`` to its last."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.ledger import KEY
from airflow_interruptible.worker.attempt import RetriesExhausted, attempt

if TYPE_CHECKING:
    from collections.abc import Callable

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def run(bench: Any, error: BaseException | None = None) -> bool:
    """Run an attempt; return whether the author's code was reached."""
    with attempt(bench.task, bench.context):
        if error is not None:
            raise error
    return True


def vanish(bench: Any) -> Any:
    """Run an attempt that nobody hears of again."""
    run(bench)
    return bench.next_try()


def test_an_attempt_says_that_it_runs(bench: Any) -> None:
    bench = bench()
    with attempt(bench.task, bench.context):
        record = bench.ledger.records[1]
    assert (record.capacity, record.cause, record.charge) == (SPOT, None, None)
    assert record.started is not None
    assert record.where["pid"] == os.getpid()


def test_a_success_is_not_written_down_again(bench: Any) -> None:
    bench = bench()
    assert run(bench)
    assert bench.store.writes == 1


def test_an_error_is_left_to_the_retry_policy(bench: Any) -> None:
    bench = bench()
    with pytest.raises(KeyError):
        run(bench, KeyError())
    assert bench.ledger.records[1].cause is None


def test_an_attempt_that_vanished_on_spot_is_forgiven(bench: Any) -> None:
    bench = vanish(bench(retries=1))
    assert run(bench)
    ledger = bench.ledger
    assert ledger.records[1].charge is Charge.SYSTEM
    assert ledger.records[2].capacity is SPOT


def test_an_attempt_without_any_trace_is_forgiven(bench: Any) -> None:
    bench = bench(retries=1).next_try()
    assert run(bench)
    assert bench.ledger.records[1].charge is Charge.SYSTEM


def test_vanishing_again_and_again_ends_on_demand(bench: Any) -> None:
    bench = bench(retries=1, system_retries=2)
    capacities = []
    for _ in range(3):
        vanish(bench)
        capacities.append(bench.ledger.records[bench.ti.try_number - 1].capacity)
    assert capacities == [SPOT, SPOT, ON_DEMAND]


def test_an_attempt_that_no_retry_is_left_for_fails_at_once(bench: Any) -> None:
    bench = vanish(bench(retries=0))
    with pytest.raises(RetriesExhausted, match=r"attempt 1 on demand started and never reported.*Clear the task"):
        run(bench)
    ledger = bench.ledger
    assert ledger.records[1].charge is Charge.USER
    assert ledger.records[2].charge is Charge.NONE
    assert "never reported" in str(ledger.records[2].reason)
    assert issubclass(RetriesExhausted, AirflowFailException), "or Airflow would retry it"


def test_the_author_s_code_is_not_reached_then(bench: Any) -> None:
    bench = vanish(bench(retries=0))
    reached = []
    with pytest.raises(RetriesExhausted), attempt(bench.task, bench.context):
        reached.append(True)
    assert reached == []


def test_clearing_it_helps(bench: Any) -> None:
    bench = vanish(bench(retries=0))
    with pytest.raises(RetriesExhausted):
        run(bench)
    assert run(bench.clear())


@pytest.mark.parametrize("error", [AirflowFailException("no"), AirflowSensorTimeout("too long")])
def test_what_the_policy_is_never_asked_about_is_written_down_here(bench: Any, error: Exception) -> None:
    bench = bench()
    with pytest.raises(type(error)):
        run(bench, error)
    record = bench.ledger.records[1]
    assert (record.cause, record.charge) == (Cause.APPLICATION, Charge.USER)
    assert record.ended is not None
    assert type(error).__name__ in str(record.reason)


@pytest.mark.parametrize(("said", "warned"), [("interruptable", 1), ("epochs", 0), ("interruptible", 0)])
def test_a_word_of_the_run_s_conf_that_is_nearly_ours_is_asked_about(
    bench: Any, warnings_of: Callable[[], list[str]], said: str, warned: int
) -> None:
    bench = bench(conf={said: False})
    with attempt(bench.task, bench.context):
        pass
    assert len([warning for warning in warnings_of() if "Did you mean 'interruptible'?" in warning]) == warned


def test_a_run_that_says_nonsense_fails_the_task_clearly(bench: Any) -> None:
    bench = bench(conf={"interruptible": "yes"})
    with pytest.raises(AirflowFailException, match=r"dag_run\.conf says 'yes'.*Write True"):
        run(bench)
    assert bench.store.writes == 0


def test_a_signal_before_execute_is_not_lost(bench: Any) -> None:
    bench = bench()
    bench.task.on_kill()
    with pytest.raises(Interrupted, match="before the task began"):
        run(bench)


def test_a_signal_interrupts_the_author_s_code(bench: Any) -> None:
    bench = bench()
    reached = []

    def execute() -> None:
        with attempt(bench.task, bench.context):
            signal.raise_signal(signal.SIGTERM)
            reached.append(True)

    with pytest.raises(Interrupted):
        execute()
    assert reached == []


def test_a_signal_that_turns_into_a_failure_for_good_is_an_interruption(bench: Any) -> None:
    """``AirflowFailException`` would fail the task for good: a clean-up must not turn an interruption into one."""
    bench = bench()

    def execute() -> None:
        with attempt(bench.task, bench.context):
            try:
                signal.raise_signal(signal.SIGTERM)
            except Interrupted:
                raise AirflowFailException("could not clean up") from None

    with pytest.raises(Interrupted):
        execute()
    assert bench.ledger.records[1].cause is not Cause.APPLICATION


def test_a_deferral_goes_on_in_the_same_attempt(bench: Any) -> None:
    bench = bench()
    with pytest.raises(TaskDeferred), attempt(bench.task, bench.context):
        raise TaskDeferred(trigger=None, method_name="execute_complete")
    started = bench.ledger.records[1].started
    assert run(bench)
    assert bench.ledger.records[1].started == started
    assert list(bench.ledger.records) == [1]


def test_time_in_the_triggerer_is_written_down_as_time_off_the_machine(bench: Any) -> None:
    bench = bench()
    with pytest.raises(TaskDeferred), attempt(bench.task, bench.context):
        raise TaskDeferred(trigger=None, method_name="execute_complete")
    left = datetime.fromisoformat(bench.ledger.records[1].left)
    gone = replace(bench.ledger.records[1], left=(left - timedelta(minutes=5)).isoformat())
    bench.store.set(KEY, bench.ledger.with_record(1, gone).to_json())
    assert run(bench)
    assert bench.ledger.records[1].left is None
    assert 300 <= bench.ledger.records[1].away < 600


def test_an_error_that_no_policy_is_asked_about_is_told_too(bench: Any) -> None:
    bench = bench()
    with pytest.raises(AirflowFailException), attempt(bench.task, bench.context):
        raise AirflowFailException("no such table: sales")
    assert bench.ledger.records[1].error == "AirflowFailException: no such table: sales"


@pytest.mark.parametrize("down", ["get", "set"])
def test_a_store_that_is_down_costs_one_warning_and_no_attempt(
    bench: Any, warnings_of: Callable[[], list[str]], down: str
) -> None:
    bench = bench()
    bench.store.down = frozenset({down})
    assert run(bench)
    assert len(warnings_of()) == 1


def test_a_store_that_is_down_does_not_hide_a_failure_for_good(bench: Any) -> None:
    bench = bench()
    bench.store.down = frozenset({"get", "set"})
    with pytest.raises(AirflowFailException, match="no"):
        run(bench, AirflowFailException("no"))


@pytest.mark.parametrize("rubbish", ["x", [], {"version": 1, "max_tries": 5, "bases": [0], "attempts": {"1": 3}}])
def test_a_ledger_that_cannot_be_understood_is_left_as_it_is(
    bench: Any, warnings_of: Callable[[], list[str]], rubbish: object
) -> None:
    """The attempt runs as Airflow would run it, is not counted, and says so once."""
    bench = bench()
    bench.store.set(KEY, rubbish)
    with attempt(bench.task, bench.context):
        pass
    assert len(warnings_of()) == 1
    assert bench.store.get(KEY) == rubbish


def test_the_log_says_where_and_why(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    bench = bench()
    with caplog.at_level("INFO", logger="airflow_interruptible"):
        run(bench)
    assert (
        "attempt 1 would be on spot since the task is interruptible, but nothing is moved, as compute is none; "
        "2 of 2 user retries and 3 of 3 system retries left"
    ) in caplog.text


def test_the_log_claims_a_place_where_something_places(
    bench: Any, caplog: pytest.LogCaptureFixture, configure: Callable[..., None]
) -> None:
    configure(compute="queue", compute_options='{"spot": "default", "on_demand": "safe"}')
    bench = bench(retries=0)
    bench.ti.queue = "safe"
    with caplog.at_level("INFO", logger="airflow_interruptible"):
        run(bench)
    assert (
        "attempt 1 on demand since with retries=0 each attempt is the last user attempt, never on spot: set retries to "
        "1 or more; 0 of 0 user retries"
    ) in caplog.text
