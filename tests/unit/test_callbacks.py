# SPDX-License-Identifier: Apache-2.0
"""What an author's callbacks learn of the end of an attempt, and whom it wakes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.sdk.exceptions import AirflowFailException

from airflow_interruptible import unless_forgiven, verdict_of
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.exceptions import ConfigurationError, Interrupted
from airflow_interruptible.worker.attempt import RetriesExhausted, attempt

if TYPE_CHECKING:
    from collections.abc import Callable


def fail(bench: Any, error: BaseException) -> Any:
    """Fail an attempt as Airflow does: execute, then the policy. The context that callbacks get."""
    with pytest.raises(type(error)), attempt(bench.task, bench.context):
        raise error
    if not isinstance(error, AirflowFailException):
        bench.evaluate(error)
    return bench.context


class Notifier(BaseNotifier):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def notify(self, context: Any) -> None:
        self.told.append(context)


def test_an_interruption(bench: Any) -> None:
    verdict = verdict_of(fail(bench(), Interrupted("SIGTERM")))
    assert verdict is not None
    assert (verdict.cause, verdict.charge, verdict.forgiven) == (Cause.SPOT_INTERRUPTION, Charge.SYSTEM, True)
    assert "forgiven: system retry 1 of 3" in verdict.reason


def test_an_interruption_that_nothing_is_left_for_is_not_forgiven(bench: Any) -> None:
    verdict = verdict_of(fail(bench(system_retries=0), Interrupted("SIGTERM")))
    assert verdict is not None
    assert (verdict.cause, verdict.charge, verdict.forgiven) == (Cause.SPOT_INTERRUPTION, Charge.USER, False)


@pytest.mark.parametrize("error", [KeyError(), AirflowFailException("never again")])
def test_an_error_of_the_author_s(bench: Any, error: Exception) -> None:
    verdict = verdict_of(fail(bench(), error))
    assert verdict is not None
    assert (verdict.cause, verdict.forgiven) == (Cause.APPLICATION, False)


def test_a_person_s_action(bench: Any) -> None:
    bench = bench()
    bench.ti.server_state = "failed"
    verdict = verdict_of(fail(bench, Interrupted("SIGTERM")))
    assert verdict is not None
    assert (verdict.cause, verdict.charge, verdict.forgiven) == (Cause.USER_ACTION, Charge.NONE, False)


def test_a_budget_that_was_spent_in_silence(bench: Any) -> None:
    bench = bench(retries=0)
    with attempt(bench.task, bench.context):
        pass
    bench.next_try()
    with pytest.raises(RetriesExhausted), attempt(bench.task, bench.context):
        pass
    verdict = verdict_of(bench.context)
    assert verdict is not None
    assert (verdict.charge, verdict.forgiven) == (Charge.USER, False)
    assert "never reported" in verdict.reason


def test_the_last_attempt_s_verdict_is_not_this_one_s(bench: Any) -> None:
    bench = bench()
    fail(bench, KeyError())
    bench.next_try()
    assert verdict_of(bench.context) is None


def test_a_store_that_cannot_be_reached_leaves_the_verdict_unknown(bench: Any) -> None:
    bench = bench()
    bench.store.down = frozenset({"get"})
    assert verdict_of(fail(bench, KeyError())) is None


@pytest.mark.parametrize("context", [{}, {"ti": None}])
def test_a_context_of_something_else_has_none(context: dict[str, Any]) -> None:
    assert verdict_of(context) is None


def test_what_is_not_known_is_said(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """In the Dag processor, say: nobody was judged there, and nothing may be asked."""
    bench = bench()
    bench.store.down = frozenset({"get", "set"})
    with caplog.at_level("INFO"):
        assert verdict_of(bench.context) is None
    assert "not judged in this process" in caplog.text


# -- whom it wakes


@pytest.mark.parametrize(
    ("error", "called"), [(Interrupted("SIGTERM"), 0), (KeyError(), 1), (AirflowFailException("no"), 1)]
)
def test_a_pager_sleeps_through_what_is_forgiven(bench: Any, error: BaseException, called: int) -> None:
    told: list[Any] = []
    context = fail(bench(), error)
    unless_forgiven(told.append)(context)
    assert told == [context] * called


def test_a_notifier_is_wrapped_as_well(bench: Any) -> None:
    notifier = Notifier()
    bench = bench()
    unless_forgiven(notifier)(fail(bench, Interrupted("SIGTERM")))
    assert notifier.told == []
    bench.next_try()
    unless_forgiven(notifier)(fail(bench, KeyError()))
    assert len(notifier.told) == 1


def test_what_is_not_known_wakes(bench: Any) -> None:
    told: list[Any] = []
    unless_forgiven(told.append)(bench().context)
    assert len(told) == 1


def test_what_a_callback_raises_is_airflow_s_to_log(bench: Any) -> None:
    def broken(_context: Any) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        unless_forgiven(broken)(bench().context)


def test_it_says_what_it_wraps() -> None:
    def page(context: Any) -> None: ...

    assert unless_forgiven(page).__name__ == "unless_forgiven(page)"
    assert unless_forgiven(Notifier()).__name__ == "unless_forgiven(Notifier)"


@pytest.mark.parametrize("wrong", [None, "page", Notifier, [print]])
def test_what_cannot_be_called_with_a_context_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"unless_forgiven\(\) takes one callback or one notifier") as raised:
        unless_forgiven(wrong)
    assert repr(wrong) in str(raised.value)


# -- before the attempt has ended


def test_a_notifier_is_told_of_the_notice(bench: Any) -> None:
    notifier, order = Notifier(), []
    bench = bench(on_interruption_callback=[lambda _context, said: order.append(said.provider), notifier])

    def execute() -> None:
        with attempt(bench.task, bench.context):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        execute()
    ((context),) = notifier.told
    assert [context["interruption_notice"].provider] == order == ["signal"]
    assert context["ti"] is bench.ti


def test_one_that_raises_does_not_keep_the_others_from_being_told(
    bench: Any, warnings_of: Callable[[], list[str]]
) -> None:
    notifier = Notifier()

    def broken(*_: Any) -> None:
        raise RuntimeError

    bench = bench(on_interruption_callback=(broken, notifier))

    def execute() -> None:
        with attempt(bench.task, bench.context):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        execute()
    assert len(notifier.told) == 1
    assert any("on_interruption_callback failed" in text for text in warnings_of())
