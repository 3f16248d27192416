# SPDX-License-Identifier: Apache-2.0
"""Real signals, sent to this very process while an attempt runs in it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, DagRunTriggerException
from waiting import until

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.exceptions import Interrupted, InterruptedOutside
from airflow_interruptible.worker import stopping
from airflow_interruptible.worker.attempt import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGTERM, SIGINT = signal.SIGTERM, signal.SIGINT
LONG = 60.0
"""Seconds that code goes on if nobody stops it."""


@pytest.fixture(autouse=True)
def airflow_s() -> Iterator[Callable[[int, Any], None]]:
    """Install a handler as Airflow's is, and see that it is the one left behind."""

    def handler(_signum: int, _frame: Any) -> None: ...

    before = signal.signal(SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    previous = signal.signal(SIGTERM, handler)
    yield handler
    stopping.signal.signal(SIGTERM, previous)
    signal.signal(SIGINT, before)


@dataclass
class Supervisor:
    """What Airflow's ``CommsDecoder`` is: one request at a time, which may take as long as the test wants."""

    then: Callable[[], object] = lambda: None
    asked: list[str] = field(default_factory=list)
    _thread_lock: threading.Lock = field(default_factory=threading.Lock)
    _async_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def send(self, message: str) -> str:
        with self._thread_lock:
            self.asked.append(f"{message}?")
            self.then()
            self.asked.append(message)
        return message

    async def asend(self, message: str) -> str:
        async with self._async_lock:
            await asyncio.get_running_loop().run_in_executor(None, self._thread_lock.acquire)
            try:
                await asyncio.sleep(0.001)
                self.asked.append(message)
            finally:
                self._thread_lock.release()
        return message


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    found = Supervisor()

    def _run_task_and_map_outcome(work: Callable[[], object]) -> object:
        return work()

    runner = SimpleNamespace(SUPERVISOR_COMMS=found, run=None, _run_task_and_map_outcome=_run_task_and_map_outcome)
    monkeypatch.setitem(sys.modules, "airflow.sdk.execution_time.task_runner", runner)  # type: ignore[arg-type]
    return found


@dataclass
class Worker:
    """A task that does what a test wants, and its attempt."""

    bench: Any
    killed: list[float] = field(default_factory=list)

    def run(self, work: Callable[[], object]) -> None:
        with attempt(self.bench.task, self.bench.context):
            work()

    def interrupted(self, work: Callable[[], object]) -> Interrupted:
        """Run ``work``, which is expected to be interrupted, long before it ends by itself."""
        begun = time.monotonic()
        with pytest.raises(Interrupted) as raised:
            self.run(work)
        assert time.monotonic() - begun < LONG / 2
        self.bench.evaluate(raised.value)
        assert self.bench.ledger.records[1].cause is Cause.SPOT_INTERRUPTION
        return raised.value


@pytest.fixture
def worker(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    def build(on_kill: Callable[[], object] | None = None, **arguments: Any) -> Worker:
        made = Worker(bench(**arguments))
        operator = made.bench.task.made_from

        def killed(_task: Any) -> None:
            made.killed.append(time.monotonic())
            if on_kill is not None:
                on_kill()

        if on_kill is not None:
            monkeypatch.setattr(operator, "on_kill", killed, raising=False)
        return made

    return build


def terminate(signum: signal.Signals = SIGTERM) -> None:
    signal.raise_signal(signum)


def from_outside(*delays: float, signum: signal.Signals = SIGTERM) -> None:
    """Have this process signalled by another one."""
    for delay in delays:
        subprocess.Popen(["sh", "-c", f"sleep {delay}; kill -{int(signum)} {os.getpid()}"])


def go_on(seconds: float = LONG) -> None:
    """Do the work of a task, without sleeping through what is raised."""
    until_then = time.monotonic() + seconds
    while time.monotonic() < until_then:
        time.sleep(0.01)


# -- what the author's code does about it


def test_without_a_signal_nothing_happens(worker: Any) -> None:
    made = worker(on_kill=int)
    made.run(int)
    with pytest.raises(KeyError):
        made.run({}.popitem)
    assert made.killed == []


@pytest.mark.parametrize("signum", [SIGTERM, SIGINT])
def test_a_signal_stops_the_work_and_then_the_code(worker: Any, signum: signal.Signals) -> None:
    reached: list[str] = []
    made = worker(on_kill=lambda: reached.append("on_kill"))

    def work() -> None:
        terminate(signum)
        reached.append("the next line")

    assert "was told to stop" in str(made.interrupted(work))
    assert reached == ["on_kill"]


def test_another_process_can_interrupt_it(worker: Any) -> None:
    os_signal = threading.Timer(0.05, os.kill, (os.getpid(), SIGTERM))
    os_signal.start()
    worker().interrupted(go_on)


def test_it_is_written_down_at_once_and_not_in_the_handler(worker: Any) -> None:
    """A machine that goes while ``on_kill`` waits for a service leaves word of it."""
    seen: list[bool] = []
    made = worker(on_kill=lambda: until(lambda: made.bench.store.writes == 2))

    def work() -> None:
        terminate()
        seen.append(True)

    made.interrupted(work)
    assert not seen


def test_finally_blocks_run_in_peace(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the signal comes, and longer than it takes to raise again in code that goes on."""
    cleaned = []

    def work() -> None:
        try:
            terminate()
        finally:
            terminate()
            go_on(1.5)
            cleaned.append(True)

    worker().interrupted(work)
    assert cleaned


def test_except_exception_cannot_swallow_it(worker: Any) -> None:
    def work() -> None:
        try:
            terminate()
        except Exception:
            pytest.fail("swallowed")

    worker().interrupted(work)


def test_swallowed_it_is_raised_again(worker: Any) -> None:
    swallowed = []

    def work() -> None:
        try:
            terminate()
        except BaseException:
            swallowed.append(True)
        go_on()

    worker().interrupted(work)
    assert swallowed


def test_swallowed_by_a_finalizer_it_is_raised_again(worker: Any) -> None:
    class Resource:
        def __del__(self) -> None:
            terminate()
            time.sleep(0.01)

    def work() -> None:
        Resource()
        go_on()

    worker().interrupted(work)


def test_an_interrupted_task_never_ends_as_success(worker: Any) -> None:
    def work() -> str:
        try:
            terminate()
        finally:
            return "success"

    assert "swallowed" in str(worker().interrupted(work))


@pytest.mark.parametrize(
    "other", [ValueError("half a file"), SystemExit(0), KeyboardInterrupt(), AirflowFailException("for good")]
)
def test_turned_into_another_exception_it_is_turned_back(worker: Any, other: BaseException) -> None:
    def work() -> None:
        try:
            terminate()
        except Interrupted:
            raise other from None

    assert worker().interrupted(work).__cause__ is other


def test_an_error_that_was_on_its_way_out_stays_what_it_is(worker: Any) -> None:
    made = worker()

    def work() -> None:
        try:
            raise ValueError("the author's")
        finally:
            terminate()

    with pytest.raises(ValueError, match="the author's") as raised:
        made.run(work)
    made.bench.evaluate(raised.value)
    assert made.bench.ledger.records[1].cause is Cause.APPLICATION


def test_an_error_that_was_dealt_with_does_not_keep_it(worker: Any) -> None:
    def work() -> None:
        try:
            int("passing")
        except ValueError:
            terminate()
            go_on()

    worker().interrupted(work)


# -- on_kill


def test_a_second_signal_does_not_cut_on_kill(worker: Any) -> None:
    done = []

    def on_kill() -> None:
        terminate()
        go_on(0.1)
        terminate(SIGINT)
        done.append(True)

    made = worker(on_kill=on_kill)
    made.interrupted(terminate)
    assert done == [True]
    assert len(made.killed) == 1


def test_an_on_kill_that_fails_does_not_let_the_task_go_on(worker: Any) -> None:
    """A loop that catches whatever its requests raise would swallow what ``on_kill`` raises in its place."""
    went_on = []

    def fail() -> None:
        raise ConnectionError("the job cannot be cancelled")

    def work() -> None:
        try:
            terminate()
        except Exception:
            went_on.append(True)

    assert isinstance(worker(on_kill=fail).interrupted(work).__cause__, ConnectionError)
    assert not went_on


def test_a_foreign_on_kill_is_no_signal(worker: Any) -> None:
    made = worker(on_kill=int)
    made.run(made.bench.task.on_kill)
    assert made.killed
    made.bench.evaluate(KeyError())
    assert made.bench.ledger.records[1].cause is Cause.APPLICATION


# -- handlers of the task's own


def test_whoever_handles_the_signal_it_is_no_success(worker: Any) -> None:
    stop: list[int] = []

    def work() -> None:
        signal.signal(SIGTERM, lambda *_: stop.append(1))
        terminate()
        until(lambda: stop)

    made = worker(on_kill=int)
    made.interrupted(work)
    assert stop == [1]
    assert len(made.killed) == 1, "its work is stopped all the same"


def test_a_library_that_exits_is_not_the_author_s_error(worker: Any) -> None:
    def work() -> None:
        signal.signal(SIGTERM, lambda signum, _: sys.exit(signum))
        terminate()

    assert isinstance(worker().interrupted(work).__cause__, SystemExit)


def test_a_handler_of_the_task_s_own_has_the_grace_and_no_more(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.3)

    def work() -> None:
        signal.signal(SIGTERM, lambda *_: None)
        terminate()
        go_on()

    worker().interrupted(work)


def test_a_handler_that_calls_the_one_before_stops_the_work_once(worker: Any) -> None:
    made = worker(on_kill=int)
    signal.signal(SIGTERM, lambda *_: made.bench.task.on_kill())  # as Airflow's does

    def work() -> None:
        before = signal.getsignal(SIGTERM)

        def chained(signum: int, frame: Any) -> None:
            before(signum, frame)  # type: ignore[operator]

        signal.signal(SIGTERM, chained)
        terminate()

    made.interrupted(work)
    assert len(made.killed) == 1


def test_a_task_finds_the_handlers_that_it_would_have_found(worker: Any, airflow_s: Any) -> None:
    def own(*_: Any) -> None: ...

    def work() -> None:
        assert signal.getsignal(SIGTERM) is airflow_s
        assert signal.signal(SIGTERM, own) is airflow_s
        assert signal.signal(SIGTERM, airflow_s) is own
        with pytest.raises(TypeError):
            signal.signal(SIGTERM, "no handler")  # type: ignore[arg-type]

    worker().run(work)


def test_a_loop_s_handler_is_one_of_the_task_s_own(worker: Any) -> None:
    async def main() -> str:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(SIGTERM, stop.set)
        terminate()
        await stop.wait()
        return "17 of 600 pages"

    assert "swallowed" in str(worker().interrupted(lambda: asyncio.run(main())))


def test_a_handler_installed_behind_our_back_is_seen_in_c(worker: Any) -> None:
    kept = signal.signal

    def work() -> None:
        stop: list[int] = []
        kept(SIGTERM, lambda *_: stop.append(1))
        os.kill(os.getpid(), SIGTERM)
        until(lambda: stop)
        until(lambda: made.bench.task.interruptible_told)

    made = worker()
    made.interrupted(work)


# -- requests to the supervisor


def test_a_request_gets_its_response_first(worker: Any, supervisor: Supervisor) -> None:
    supervisor.then = terminate

    def work() -> None:
        supervisor.send("a")
        go_on()

    worker().interrupted(work)
    assert supervisor.asked[:2] == ["a?", "a"]


def test_on_kill_may_ask_while_the_task_does(worker: Any, supervisor: Supervisor) -> None:
    def work() -> None:
        supervisor.then = terminate
        supervisor.send("checkpoint")
        go_on()

    def on_kill() -> None:
        supervisor.then = int
        supervisor.send("connection")

    worker(on_kill=on_kill).interrupted(work)
    assert supervisor.asked == ["checkpoint?", "checkpoint", "connection?", "connection"]


def test_another_thread_s_request_does_not_keep_the_code(worker: Any, supervisor: Supervisor) -> None:
    """A server that does not answer would keep it for ever."""
    answer = threading.Event()
    supervisor.then = answer.wait
    threading.Thread(target=supervisor.send, args=("slow",), daemon=True).start()
    until(lambda: supervisor.asked)
    worker().interrupted(lambda: (terminate(), go_on()))
    answer.set()


# -- coroutines


def test_every_coroutine_is_interrupted_whichever_the_signal_meets(worker: Any) -> None:
    cleaned = []

    async def meets_the_signal() -> None:
        terminate()
        await asyncio.sleep(LONG)

    async def main() -> None:
        background = asyncio.create_task(meets_the_signal())
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(background.cancelled())

    worker().interrupted(lambda: asyncio.run(main()))
    assert cleaned == [True]


def test_a_coroutine_that_never_waits_is_interrupted(worker: Any) -> None:
    async def main() -> None:
        terminate()
        go_on()

    worker().interrupted(lambda: asyncio.run(main()))


def test_a_coroutine_s_clean_up_is_left_in_peace(worker: Any) -> None:
    cleaned = []

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), SIGTERM)
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(1.5)
            cleaned.append(True)

    worker().interrupted(lambda: asyncio.run(main()))
    assert cleaned


@pytest.mark.parametrize("on_kill", [None, "asks"])
def test_coroutines_that_ask_without_end_leave_no_lock_behind(
    worker: Any, supervisor: Supervisor, on_kill: str | None
) -> None:
    async def asks() -> None:
        while True:
            await supervisor.asend("more")

    async def computes() -> None:
        while True:
            await asyncio.sleep(0)

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.02, os.kill, os.getpid(), SIGTERM)
        await asyncio.gather(asks(), asks(), computes())

    stops = None if on_kill is None else lambda: supervisor.send("connection")
    for _ in range(5):
        supervisor._async_lock = asyncio.Lock()
        made = worker(on_kill=stops)
        made.interrupted(lambda: asyncio.run(main()))
        assert supervisor._thread_lock.acquire(timeout=5)
        supervisor._thread_lock.release()
    assert on_kill is None or "connection" in supervisor.asked


# -- processes


def test_a_forked_child_has_no_attempt(worker: Any) -> None:
    """``multiprocessing.Pool`` ends its children by a signal and waits for them; Airflow's handler would ignore it."""
    statuses = []

    def work() -> None:
        child = os.fork()
        if child == 0:
            time.sleep(LONG)
            os._exit(0)
        os.kill(child, SIGTERM)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    worker().run(work)
    assert statuses == [-SIGTERM]


def test_a_forked_child_has_the_task_s_own_handler(worker: Any) -> None:
    statuses = []

    def work() -> None:
        signal.signal(SIGTERM, lambda *_: os._exit(7))
        child = os.fork()
        if child == 0:
            time.sleep(LONG)
            os._exit(0)
        time.sleep(0.1)
        os.kill(child, SIGTERM)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    worker().run(work)
    assert statuses == [7]


def test_a_process_pool_is_ended(worker: Any) -> None:
    import multiprocessing

    def work() -> None:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            threading.Timer(0.2, os.kill, (os.getpid(), SIGTERM)).start()
            pool.map(time.sleep, [LONG, LONG])

    worker().interrupted(work)


def test_work_that_on_kill_stops_is_waited_for(worker: Any, tmp_path: Any) -> None:
    saved = tmp_path / "saved"
    script = f"trap 'sleep 1; echo > {saved}; exit 143' TERM; echo > {tmp_path}/begun; sleep {LONG} & wait"
    children: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        children.append(subprocess.Popen(["bash", "-c", script], start_new_session=True))
        until((tmp_path / "begun").exists)
        terminate()
        children[0].wait()
        raise RuntimeError("the script's exit code")

    worker(on_kill=lambda: os.killpg(children[0].pid, SIGTERM)).interrupted(work)
    assert saved.exists()


def test_work_that_does_not_end_in_time_is_killed(worker: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.5)
    children: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        command = f"trap '' TERM; echo > {tmp_path}/begun; while true; do sleep 0.1; done"
        children.append(subprocess.Popen(["bash", "-c", command]))
        until((tmp_path / "begun").exists)
        terminate()
        go_on()

    worker(on_kill=lambda: os.kill(children[0].pid, SIGTERM)).interrupted(work)
    assert children[0].wait(5) == -signal.SIGKILL


def test_an_operator_says_when_its_work_has_ended(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the operators of pods do: ``execute`` goes on meanwhile, and nothing is raised in it."""
    order: list[str] = []
    made = worker(on_kill=lambda: order.append("asked"))

    def ended(_task: Any, deadline: float) -> None:
        until(lambda: "noticed" in order)
        assert time.monotonic() < deadline
        order.append("ended")

    monkeypatch.setattr(made.bench.task.made_from, "interruptible_wait_until_stopped", ended, raising=False)

    def work() -> None:
        terminate()
        order.append("noticed")
        go_on()

    made.interrupted(work)
    assert order == ["asked", "noticed", "ended"]


# -- outside of execute


def test_what_airflow_waits_for_outside_is_ended(worker: Any, supervisor: Supervisor) -> None:
    made = worker()

    def airflow() -> None:
        with pytest.raises(DagRunTriggerException):
            made.run(lambda: (_ for _ in ()).throw(DagRunTriggerException.__new__(DagRunTriggerException)))
        terminate()
        go_on()

    runner: Any = sys.modules["airflow.sdk.execution_time.task_runner"]
    with pytest.raises(InterruptedOutside) as raised:
        runner._run_task_and_map_outcome(airflow)
    made.bench.evaluate(raised.value)
    assert made.bench.ledger.records[1].cause is Cause.SPOT_INTERRUPTION


def test_what_is_left_to_do_after_the_code_has_returned_has_the_grace(
    worker: Any, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.3)
    made, reached = worker(), []

    def airflow() -> None:
        made.run(int)
        terminate()
        reached.append("the result is pushed")
        go_on()

    runner: Any = sys.modules["airflow.sdk.execution_time.task_runner"]
    with pytest.raises(InterruptedOutside):
        runner._run_task_and_map_outcome(airflow)
    assert reached


def test_once_the_outcome_is_decided_a_signal_is_airflow_s_alone(worker: Any) -> None:
    calls: list[int] = []
    signal.signal(SIGTERM, lambda signum, _: calls.append(signum))
    made = worker()
    made.run(int)
    terminate()
    assert calls == [SIGTERM]
    with pytest.raises(KeyError):
        made.run({}.popitem)
    terminate()
    assert calls == [SIGTERM, SIGTERM]


# -- where something of ours is missing


def test_without_a_thread_it_works_all_the_same(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith(("interruptible-", "interruption-")):
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    told: list[Any] = []
    made = worker(on_interruption_callback=lambda *_: told.append(1))
    made.run(int)
    made.interrupted(lambda: (terminate(), go_on()))
    assert told


def test_outside_the_main_thread_nothing_is_heard(worker: Any, airflow_s: Any) -> None:
    made, handlers = worker(), []
    thread = threading.Thread(target=made.run, args=[lambda: handlers.append(signal.getsignal(SIGTERM))])
    thread.start()
    thread.join(LONG)
    assert handlers == [airflow_s]
