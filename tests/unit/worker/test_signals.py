# SPDX-License-Identifier: Apache-2.0
"""Real signals, sent to this very process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker.signals import Watch, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGTERM = signal.SIGTERM
NOT_RAISED = 3


class Airflow:
    """The handler that was there before: counts its calls, and may do what a test wants."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.then: Callable[[], object] = lambda: None

    def __call__(self, signum: int, _frame: object) -> None:
        self.calls.append(signum)
        self.then()


@pytest.fixture(autouse=True)
def airflow() -> Iterator[Airflow]:
    """Install Airflow's handler, and see that it is the one left behind."""
    handler = Airflow()
    previous = signal.signal(SIGTERM, handler)
    yield handler
    left_behind = signal.signal(SIGTERM, previous)
    assert left_behind is handler


@pytest.fixture
def request_lock(monkeypatch: pytest.MonkeyPatch) -> threading.Lock:
    """The lock that Airflow holds while a request is under way."""
    lock = threading.Lock()
    runner: Any = SimpleNamespace(SUPERVISOR_COMMS=SimpleNamespace(_thread_lock=lock))
    monkeypatch.setitem(sys.modules, "airflow.sdk.execution_time.task_runner", runner)
    return lock


def terminate() -> None:
    signal.raise_signal(SIGTERM)


def run(work: Callable[[], object]) -> Watch:
    """Run ``work`` as ``execute`` is run."""
    with watched() as watch:
        work()
    return watch


def interrupted(work: Callable[[], object]) -> Interrupted:
    """Run ``work``, which is expected to be interrupted."""
    with pytest.raises(Interrupted) as raised:
        run(work)
    return raised.value


# -- what the author's code does about it


def test_without_a_signal_nothing_happens(airflow: Airflow) -> None:
    assert run(lambda: None).arrived is None
    assert airflow.calls == []


def test_an_error_without_a_signal_stays_what_it_is() -> None:
    def work() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        run(work)


def test_a_signal_interrupts_the_code_after_airflow_has_handled_it(airflow: Airflow) -> None:
    reached = []

    def work() -> None:
        terminate()
        reached.append("the next line")

    assert "SIGTERM: the machine of this attempt was told to stop" in str(interrupted(work))
    assert reached == []
    assert airflow.calls == [SIGTERM]


def test_the_time_of_the_signal_is_kept() -> None:
    watches: list[Watch] = []

    def work() -> None:
        with watched() as watch:
            watches.append(watch)
            terminate()

    before = time.time()
    interrupted(work)
    arrived = watches[0].arrived
    assert arrived is not None
    assert before <= arrived <= time.time()


def test_another_process_can_interrupt_it() -> None:
    def work() -> None:
        threading.Timer(0.01, os.kill, (os.getpid(), SIGTERM)).start()
        until(lambda: False)

    interrupted(work)


def test_finally_blocks_run() -> None:
    cleaned = []

    def work() -> None:
        try:
            terminate()
        finally:
            cleaned.append(True)

    interrupted(work)
    assert cleaned


def test_except_exception_cannot_swallow_it() -> None:
    def work() -> None:
        try:
            terminate()
        except Exception:
            pytest.fail("swallowed")

    assert "SIGTERM" in str(interrupted(work))


def test_swallowed_by_a_bare_except_it_is_raised_at_the_end() -> None:
    went_on = []

    def work() -> None:
        try:
            terminate()
        except BaseException:
            went_on.append(True)

    assert "the task swallowed it" in str(interrupted(work))
    assert went_on


def test_an_interrupted_task_never_ends_as_success() -> None:
    def work() -> str:
        try:
            terminate()
        finally:
            return "success"

    interrupted(work)


@pytest.mark.parametrize("other", [ValueError("half a file"), SystemExit(0), KeyboardInterrupt()])
def test_turned_into_another_exception_it_is_turned_back(other: BaseException) -> None:
    def work() -> None:
        try:
            terminate()
        except Interrupted:
            raise other from None

    assert interrupted(work).__cause__ is other


def test_an_on_kill_that_fails_does_not_hide_the_interruption(airflow: Airflow) -> None:
    def fail() -> None:
        raise RuntimeError("on_kill is broken")

    airflow.then = fail
    assert isinstance(interrupted(terminate).__cause__, RuntimeError)


def test_an_on_kill_that_fails_does_not_let_the_task_go_on(airflow: Airflow) -> None:
    """A loop that catches whatever its requests raise would swallow what ``on_kill`` raises in its place."""
    went_on = []

    def fail() -> None:
        raise ConnectionError("the job cannot be cancelled")

    def work() -> None:
        try:
            terminate()
        except Exception:
            went_on.append(True)

    airflow.then = fail
    interrupted(work)
    assert not went_on


def test_a_second_signal_changes_nothing(airflow: Airflow) -> None:
    """Clean-up is not interrupted again, and ``on_kill`` is called once."""
    cleaned = []

    def work() -> None:
        try:
            terminate()
        finally:
            terminate()
            cleaned.append(True)

    interrupted(work)
    assert cleaned
    assert airflow.calls == [SIGTERM]


def test_every_coroutine_is_interrupted_whichever_the_signal_meets() -> None:
    cleaned = []

    async def meets_the_signal() -> None:
        terminate()

    async def main() -> None:
        background = asyncio.create_task(meets_the_signal())
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(isinstance(background.exception(), Interrupted))

    begun = time.monotonic()
    interrupted(lambda: asyncio.run(main()))
    assert time.monotonic() - begun < 30
    assert cleaned == [True]


def test_a_coroutine_s_clean_up_is_not_interrupted_again() -> None:
    cleaned = []

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), SIGTERM)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(True)

    interrupted(lambda: asyncio.run(main()))
    assert cleaned


# -- handlers


def test_a_signal_after_the_block_is_airflow_s_alone(airflow: Airflow) -> None:
    run(lambda: None)
    terminate()
    assert airflow.calls == [SIGTERM]


@pytest.mark.parametrize("previous", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_handler_that_is_no_function_is_restored(airflow: Airflow, previous: signal.Handlers) -> None:
    signal.signal(SIGTERM, previous)
    interrupted(terminate)
    assert signal.signal(SIGTERM, airflow) is previous


def test_another_signal_can_be_watched(airflow: Airflow) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(Interrupted, match="SIGUSR1"), watched(signal.SIGUSR1):
        signal.raise_signal(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is before
    assert airflow.calls == []


def test_a_forked_child_is_not_watched(airflow: Airflow) -> None:
    """A child that is terminated, as libraries do with their workers, must not believe its machine is vanishing."""
    statuses = []

    def work() -> None:
        child = os.fork()
        if child == 0:
            in_the_child(airflow)
        statuses.append(os.waitpid(child, 0)[1])

    assert run(work).arrived is None
    assert [os.waitstatus_to_exitcode(status) for status in statuses] == [NOT_RAISED]
    assert airflow.calls == []


def in_the_child(airflow: Airflow) -> None:
    code = 1
    try:
        terminate()
        code = NOT_RAISED if airflow.calls == [SIGTERM] else 2
    finally:
        os._exit(code)


def test_outside_the_main_thread_nothing_is_watched(airflow: Airflow) -> None:
    handlers = []
    thread = threading.Thread(target=run, args=[lambda: handlers.append(signal.getsignal(SIGTERM))])
    thread.start()
    thread.join(60)
    assert handlers == [airflow]


# -- a request under way


def test_a_request_gets_its_response_first(airflow: Airflow, request_lock: threading.Lock) -> None:
    finished = []

    def work() -> None:
        with request_lock:
            terminate()
            finished.append("the request")
        until(lambda: False)

    interrupted(work)
    assert finished
    assert airflow.calls == [SIGTERM]


def test_code_that_ends_before_the_delayed_signal_is_interrupted_all_the_same(
    airflow: Airflow, request_lock: threading.Lock
) -> None:
    def work() -> None:
        with request_lock:
            terminate()

    interrupted(work)
    until(lambda: all(thread.name != "interruptible-signal" for thread in threading.enumerate()))
    assert airflow.calls == [SIGTERM], "no signal may come after the block"
