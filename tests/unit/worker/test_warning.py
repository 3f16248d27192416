# SPDX-License-Identifier: Apache-2.0
"""The author is told of an interruption: once, in time, and whatever the callback does."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

import pytest
from waiting import until

from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.notices import Notice, NoticeKind
from airflow_interruptible.settings import get_settings
from airflow_interruptible.worker import warning
from airflow_interruptible.worker.attempt import attempt
from airflow_interruptible.worker.fate import SIGNAL
from airflow_interruptible.worker.warning import Announcement, allowance, signalled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTEXT: Any = {"a": "context"}


def notice(seconds: float | None = None) -> Notice:
    now = datetime.now(timezone.utc)
    return Notice("ec2", NoticeKind.STOP, None if seconds is None else now + timedelta(seconds=seconds), now)


@dataclass
class FakeSource:
    """A metadata service that says something when told to."""

    says: Notice
    provider: str = "ec2"
    where: dict[str, str] = field(default_factory=dict)
    speak: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def probe(self) -> bool:
        return True

    def place(self) -> dict[str, str]:
        return self.where

    def wait(self, stop: threading.Event) -> Notice | None:
        while not stop.is_set():
            if self.speak.wait(0.005):
                return self.says
        return None

    def cancel(self) -> None:
        self.cancelled.set()


@pytest.fixture
def source(bench: Any, monkeypatch: pytest.MonkeyPatch) -> FakeSource:
    """Put the task of ``bench`` on a machine of a cloud."""
    fake = FakeSource(notice(120))
    monkeypatch.setattr("airflow_interruptible.notices.default_sources", lambda: (fake,))
    return fake


@pytest.fixture(autouse=True)
def _airflow_s_handler() -> Iterator[None]:
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, previous)


# -- telling


@pytest.mark.parametrize(
    ("seconds", "allowed"),
    [
        (None, warning.UNKNOWN_SECONDS),
        (120, 120 - warning.RESERVE_SECONDS),
        (3, warning.SHORTEST_SECONDS),
        (-60, warning.SHORTEST_SECONDS),
    ],
)
def test_a_callback_may_take_what_is_left_but_a_reserve(seconds: float | None, allowed: float) -> None:
    assert allowance(notice(seconds)) == pytest.approx(allowed, abs=0.5)


def test_the_callback_gets_context_and_notice() -> None:
    told: list[Any] = []
    said = notice(60)
    announcement = Announcement((lambda *arguments: told.append(arguments),), CONTEXT)
    announcement.tell(said)
    assert told == [({**CONTEXT, "interruption_notice": said}, said)]
    assert "interruption_notice" not in CONTEXT
    assert announcement.notice is said


def test_the_author_is_told_once() -> None:
    told: list[Any] = []
    first = notice(60)
    announcement = Announcement((lambda *arguments: told.append(arguments),), CONTEXT)
    announcement.tell(first)
    announcement.tell(signalled())
    assert len(told) == 1
    assert announcement.notice is first


def test_without_a_callback_the_notice_is_kept() -> None:
    announcement = Announcement((), CONTEXT)
    announcement.tell(notice())
    assert announcement.notice is not None


def test_a_callback_that_raises_is_logged(warnings_of: Callable[[], list[str]]) -> None:
    def callback(*_: Any) -> None:
        raise RuntimeError("a bug of the author's")

    Announcement((callback,), CONTEXT).tell(notice())
    announced, failed = warnings_of()
    assert "Interruption announced: ec2 will stop this machine" in announced
    assert "on_interruption_callback failed" in failed


def test_a_callback_that_hangs_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(warning, "UNKNOWN_SECONDS", 0.02)
    done = threading.Event()
    Announcement((lambda *_: done.wait(5),), CONTEXT).tell(notice())
    assert "has not returned within" in warnings_of()[-1]
    assert not done.is_set()
    done.set()


def test_a_signal_is_a_notice_without_a_time() -> None:
    said = signalled()
    assert (said.provider, said.deadline) == (SIGNAL, None)
    assert said.detected.tzinfo is not None


# -- listening


def test_switched_off_nothing_listens(bench: Any, source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(get_settings(), notices=False)
    monkeypatch.setattr("airflow_interruptible.worker.attempt.get_settings", lambda: settings)
    bench = bench()
    with attempt(bench.task, bench.context):
        assert not any(thread.name.startswith("interruption-listener") for thread in threading.enumerate())
    assert not source.cancelled.is_set()


def test_the_listener_ends_with_the_attempt(bench: Any, source: FakeSource) -> None:
    bench = bench()
    with attempt(bench.task, bench.context):
        until(lambda: any(thread.name.startswith("interruptible-notices") for thread in threading.enumerate()))
    until(source.cancelled.is_set)


# -- a whole attempt


def test_a_notice_tells_the_author_and_then_interrupts(bench: Any, source: FakeSource) -> None:
    order: list[str] = []
    bench = bench(on_interruption_callback=lambda _context, said: order.append(f"told by {said.provider}"))

    def execute() -> None:
        with attempt(bench.task, bench.context):
            source.speak.set()
            try:
                until(lambda: False)
            finally:
                order.append("interrupted")

    with pytest.raises(Interrupted) as raised:
        execute()
    assert order == ["told by ec2", "interrupted"]
    assert raised.value.notice is source.says


def test_a_signal_after_a_notice_leaves_a_callback_that_runs_its_time(bench: Any, source: FakeSource) -> None:
    """A drain follows a notice nearly always."""
    saved, saving = [], threading.Event()

    def save(*_: Any) -> None:
        saving.set()
        threading.Event().wait(1)
        saved.append(True)

    bench = bench(on_interruption_callback=save)

    def execute() -> None:
        with attempt(bench.task, bench.context):
            source.speak.set()
            saving.wait(30)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted) as raised:
        execute()
    assert saved
    assert raised.value.notice is source.says


def test_who_waits_while_the_callback_s_thread_is_being_started_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[bool] = []
    seen: list[bool] = []
    announcement = Announcement([lambda *_: (threading.Event().wait(0.2), saved.append(True))], cast("Any", {}))
    start = threading.Thread.start

    def start_and_wait(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "interruption-callback":
            announcement.wait(30)
            seen.append(bool(saved))

    monkeypatch.setattr(threading.Thread, "start", start_and_wait)
    announcement.tell(signalled())
    assert seen == [True]


def test_a_bare_signal_tells_the_author_too(bench: Any) -> None:
    told: list[Any] = []
    bench = bench(on_interruption_callback=lambda _context, said: told.append(said.provider))

    def execute() -> None:
        with attempt(bench.task, bench.context):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted) as raised:
        execute()
    assert told == [SIGNAL]
    assert raised.value.notice is not None


@pytest.mark.parametrize("state", ["restarting", "failed", "success"])
def test_a_person_s_action_is_no_interruption_to_tell_of(bench: Any, state: str) -> None:
    told: list[Any] = []
    bench = bench(on_interruption_callback=lambda *arguments: told.append(arguments))
    bench.ti.server_state = state

    def execute() -> None:
        with attempt(bench.task, bench.context):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        execute()
    assert told == []


def test_an_attempt_that_is_not_interrupted_tells_nobody(bench: Any, source: FakeSource) -> None:
    told: list[Any] = []
    bench = bench(on_interruption_callback=lambda *arguments: told.append(arguments))
    with attempt(bench.task, bench.context):
        pass
    with pytest.raises(KeyError), attempt(bench.task, bench.context):
        raise KeyError
    assert told == []
