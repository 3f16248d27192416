# SPDX-License-Identifier: Apache-2.0
"""What becomes known while an attempt runs: it gets into the ledger, once, and whatever becomes of the attempt."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from waiting import until

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.ledger import Record
from airflow_interruptible.notices import Notice, NoticeKind
from airflow_interruptible.worker import success
from airflow_interruptible.worker.attempt import attempt
from airflow_interruptible.worker.notes import Notes, known_notes, notes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPOT = CapacityType.SPOT
PLACE = {"zone": "z-1", "instance_type": "m7"}
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
SAID = Notice("ec2", NoticeKind.STOP, NOW + timedelta(seconds=120), NOW)
HEARD = {"provider": "ec2", "at": "2026-01-01T00:00:00.000+00:00", "deadline": "2026-01-01T00:02:00.000+00:00"}


@dataclass
class Cloud:
    """A metadata service that knows the machine, and speaks when told to."""

    provider: str = "ec2"
    placed: threading.Event = field(default_factory=threading.Event)
    speak: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event | None = None

    def probe(self) -> bool:
        return True

    def place(self) -> dict[str, str]:
        self.placed.set()
        if self.hold is not None:
            self.hold.wait(5)
        return PLACE

    def wait(self, stop: threading.Event) -> Notice | None:
        while not stop.is_set():
            if self.speak.wait(0.005):
                return SAID
        return None

    def cancel(self) -> None: ...


@pytest.fixture
def cloud(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    found = Cloud()
    monkeypatch.setattr("airflow_interruptible.notices.default_sources", lambda: (found,))
    return found


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is counted: name and cause."""
    found: list[tuple[str, str]] = []
    stats = SimpleNamespace(
        incr=lambda stat, *, tags: found.append((stat.removeprefix("interruptible."), tags["cause"])),
        timing=lambda stat, _dt, *, tags: found.append((stat.removeprefix("interruptible."), tags["cause"])),
    )
    monkeypatch.setattr("airflow_interruptible.worker.book.stats_of", lambda _: stats)
    return found


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, previous)
    success._waiting.clear()


def succeed(bench: Any) -> None:
    """What Airflow does after it has reported a success."""
    success.on_task_instance_success(bench.ti)


def end(bench: Any, error: BaseException, before: Callable[[Notes], object] = id) -> None:
    """Run an attempt until ``error`` ends it, without the retry policy."""

    def execute() -> None:
        with attempt(bench.task, bench.context):
            before(notes_of(bench.ti))
            raise error

    with pytest.raises(type(error)):
        execute()


def fail(bench: Any, error: BaseException, before: Callable[[Notes], object] = id) -> None:
    end(bench, error, before)
    if not isinstance(error, AirflowFailException):
        bench.evaluate(error)


# -- what somebody else writes meanwhile


@pytest.mark.parametrize(
    "document",
    [{"version": 99}, {"version": 1, "max_tries": 5, "bases": [1], "attempts": {}}],
    ids=["of another version", "cleared by the server"],
)
def test_what_cannot_be_gone_on_with_is_not_written_over(
    bench: Any, cloud: Cloud, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, asked = bench(), threading.Event()
    cloud.hold = threading.Event()
    with attempt(bench.task, bench.context):
        assert cloud.placed.wait(60)
        monkeypatch.setattr(bench.store, "get", lambda key: asked.set() or document)
        writes = bench.store.writes
        cloud.hold.set()
        assert asked.wait(60)
    assert bench.store.writes == writes


def test_what_somebody_else_adds_is_kept(bench: Any, cloud: Cloud) -> None:
    bench = bench()
    cloud.hold = threading.Event()
    with attempt(bench.task, bench.context):
        assert cloud.placed.wait(60)
        added = bench.ledger.with_record(2, Record(SPOT, reason="by another"))
        bench.store.set("interruptible", added.to_json())
        cloud.hold.set()
        until(lambda: "zone" in bench.ledger.records[1].where)
    assert bench.ledger.records[2].reason == "by another"


# -- where it runs


def test_the_machine_is_written_down_while_the_attempt_runs(bench: Any, cloud: Cloud) -> None:
    """One that vanishes later could not do it any more."""
    bench = bench()
    with attempt(bench.task, bench.context):
        until(lambda: "zone" in bench.ledger.records[1].where)
        record = bench.ledger.records[1]
        assert {**record.where, **PLACE, "queue": "default"} == record.where
        assert record.started is not None
    assert bench.store.writes == 2
    succeed(bench)
    assert bench.store.writes == 2, "nothing more is to be said of a success"


def test_what_is_known_for_nothing_is_not_asked_for(bench: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_INTERRUPTIBLE_ZONE", "z-2")
    monkeypatch.setenv("AIRFLOW_INTERRUPTIBLE_INSTANCE_TYPE", "m6")
    bench = bench()
    with attempt(bench.task, bench.context):
        until(lambda: any(thread.name.startswith("interruptible-notices") for thread in threading.enumerate()))
    assert not cloud.placed.is_set()
    assert bench.ledger.records[1].where["zone"] == "z-2"
    assert bench.store.writes == 1


def test_a_failure_keeps_the_machine(bench: Any, cloud: Cloud) -> None:
    bench = bench()
    fail(bench, KeyError(), lambda notes: until(lambda: notes.place))
    record = bench.ledger.records[1]
    assert (record.where["zone"], record.cause) == ("z-1", Cause.APPLICATION)


def test_a_resumed_attempt_on_the_same_machine_has_nothing_new_to_say(bench: Any, cloud: Cloud) -> None:
    bench = bench()
    with attempt(bench.task, bench.context):
        until(lambda: "zone" in bench.ledger.records[1].where)
    with attempt(bench.task, bench.context):
        until(lambda: notes_of(bench.ti).written is not None)
        assert notes_of(bench.ti).written.where["zone"] == "z-1"  # type: ignore[union-attr]
    assert bench.store.writes == 3


def test_a_store_that_cannot_be_reached_costs_a_warning(
    bench: Any, cloud: Cloud, warnings_of: Callable[[], list[str]]
) -> None:
    bench, cloud.hold = bench(), threading.Event()
    with attempt(bench.task, bench.context):
        bench.store.down = frozenset({"set"})
        cloud.hold.set()
        cannot = "What became known of this attempt cannot be written"
        until(lambda: any(cannot in text for text in warnings_of()))


def test_two_writers_lose_nothing_of_each_other(bench: Any, cloud: Cloud) -> None:
    """Whoever writes the entry next keeps every whereabouts that this process wrote before."""
    from airflow_interruptible.worker.book import Book

    bench = bench()
    book = Book.open(bench.task, bench.context)
    begun = book.starting_record()
    book.write(begun, book.history)
    book.write(replace(begun, where={**begun.where, "pod": "p-1"}), book.history)
    book.notes.place = dict(PLACE)
    book.write(begun, book.history)
    assert {"pod", "zone", "instance_type", "host"} <= bench.ledger.records[1].where.keys()


# -- announcements


def interrupted(bench: Any, cloud: Cloud) -> None:
    def execute() -> None:
        with attempt(bench.task, bench.context):
            cloud.speak.set()
            until(lambda: False)

    with pytest.raises(Interrupted) as raised:
        execute()
    bench.evaluate(raised.value)


def test_a_notice_is_written_with_the_end_that_it_brought(
    bench: Any, cloud: Cloud, counts: list[tuple[str, str]]
) -> None:
    bench = bench()
    interrupted(bench, cloud)
    record = bench.ledger.records[1]
    assert (record.notice, record.cause) == (HEARD, Cause.SPOT_INTERRUPTION)
    reclaim = "spot_interruption"
    assert counts == [("notices", "none"), ("interruptions", reclaim), ("forgiven", reclaim), ("lost", reclaim)]


def test_a_notice_is_written_where_the_attempt_cannot_end(bench: Any, cloud: Cloud) -> None:
    """Code that goes on dies with the machine; then this is all that is known."""
    bench = bench()

    def execute() -> None:
        with attempt(bench.task, bench.context):
            cloud.speak.set()
            try:
                until(lambda: False)
            except Interrupted:
                until(lambda: bench.ledger.records[1].notice)

    with pytest.raises(Interrupted):
        execute()
    assert bench.ledger.records[1].notice == HEARD


def test_code_that_ends_while_the_author_is_told_is_interrupted(
    bench: Any, cloud: Cloud, counts: list[tuple[str, str]]
) -> None:
    """A callback may ask the code to stop; what it returns then is no success."""
    stop = threading.Event()
    bench = bench(on_interruption_callback=lambda *_: stop.set() or time.sleep(0.2))

    def execute() -> None:
        with attempt(bench.task, bench.context):
            cloud.speak.set()
            stop.wait(30)

    with pytest.raises(Interrupted) as raised:
        execute()
    bench.evaluate(raised.value)
    record = bench.ledger.records[1]
    assert (record.notice, record.cause) == (HEARD, Cause.SPOT_INTERRUPTION)
    assert ("false_alarms", "none") not in counts


@pytest.mark.parametrize("error", [KeyError(), AirflowFailException("no")])
def test_so_is_an_error_of_the_author_s(bench: Any, counts: list[tuple[str, str]], error: Exception) -> None:
    bench = bench()
    fail(bench, error, lambda notes: notes.heard(SAID))
    assert bench.ledger.records[1].notice == HEARD
    assert counts == [("false_alarms", "application")]


def test_a_bare_signal_is_no_notice(bench: Any, counts: list[tuple[str, str]]) -> None:
    bench = bench(on_interruption_callback=print)
    fail(bench, Interrupted("SIGTERM"))
    assert bench.ledger.records[1].notice is None
    assert [name for name, _ in counts] == ["interruptions", "forgiven", "lost"]


# -- checkpoints


def test_a_checkpoint_is_written_with_the_end(bench: Any) -> None:
    bench = bench()
    end(bench, KeyError(), lambda notes: notes.saved("then"))
    assert bench.ledger.records[1].checkpoint is None, "not while it runs: saving must stay one request"
    bench.evaluate(KeyError())
    assert bench.ledger.records[1].checkpoint == {"at": "then", "loaded": False}


def test_a_success_with_a_checkpoint_is_written_down(bench: Any) -> None:
    bench = bench()
    with attempt(bench.task, bench.context):
        notes_of(bench.ti).loaded()
    assert bench.store.writes == 1
    succeed(bench)
    record = bench.ledger.records[1]
    assert (record.checkpoint, record.cause) == ({"at": None, "loaded": True}, None)
    assert record.ended is not None
    succeed(bench)
    assert bench.store.writes == 2


def test_what_was_saved_before_a_deferral_is_kept(bench: Any) -> None:
    bench = bench()
    deferred = TaskDeferred(trigger=object(), method_name="resume")
    end(bench, deferred, lambda notes: (notes.loaded(), notes.saved("then")))
    with attempt(bench.task, bench.context):
        notes_of(bench.ti).saved("later")
    succeed(bench)
    assert bench.ledger.records[1].checkpoint == {"at": "later", "loaded": True}


def test_a_deferral_writes_once_when_it_left_the_machine(bench: Any) -> None:
    bench = bench()
    end(bench, TaskDeferred(trigger=object(), method_name="resume"))
    assert bench.store.writes == 2
    assert bench.ledger.records[1].left is not None


# -- notes


def test_notes_keep_what_an_earlier_part_of_the_attempt_did() -> None:
    notes = Notes()
    notes.saved("later")
    before = Record(notice=HEARD, checkpoint={"at": "then", "loaded": True})  # type: ignore[arg-type]
    after = notes.on(before)
    assert (after.notice, after.checkpoint) == (HEARD, {"at": "later", "loaded": True})


def test_notes_are_of_one_try_only(bench: Any) -> None:
    bench = bench()
    mine = notes_of(bench.ti)
    assert notes_of(bench.ti) is known_notes(bench.ti) is mine
    bench.next_try()
    assert known_notes(bench.ti) is None


def test_notes_of_long_ago_are_forgotten(bench: Any) -> None:
    """``dag.test()`` runs a thousand attempts in one process."""
    bench = bench()
    for _ in range(300):
        notes_of(bench.ti)
        bench.next_try()
    assert known_notes(bench.ti) is None
    bench.ti.try_number = 1
    assert known_notes(bench.ti) is None
    bench.ti.try_number = 299
    assert known_notes(bench.ti) is not None


def test_why_it_was_placed_is_said_of_every_attempt(bench: Any) -> None:
    bench = bench(retries=1)
    fail(bench, KeyError())
    bench.next_try()
    fail(bench, Interrupted("SIGTERM"))
    assert [record.why for record in bench.ledger.records.values()] == [
        "the task is interruptible",
        "this is the last user attempt",
    ]


def test_the_next_attempt_counts_what_nobody_else_did(bench: Any, counts: list[tuple[str, str]]) -> None:
    bench = bench(retries=1)
    with attempt(bench.task, bench.context):
        pass
    for _ in range(2):  # it is resumed once
        with attempt(bench.next_try().task, bench.context):
            pass
        bench.ti.try_number -= 1
    assert counts == [("interruptions", "spot_interruption"), ("forgiven", "spot_interruption")]


def test_writing_again_counts_nothing_again(bench: Any, cloud: Cloud, counts: list[tuple[str, str]]) -> None:
    bench = bench()
    with attempt(bench.task, bench.context):
        pass
    with attempt(bench.next_try().task, bench.context):
        until(lambda: "zone" in bench.ledger.records[2].where)
    assert counts == [("interruptions", "spot_interruption"), ("forgiven", "spot_interruption")]


def test_what_is_found_out_too_late_does_not_write_over_the_end(bench: Any) -> None:
    from airflow_interruptible.worker.book import Book
    from airflow_interruptible.worker.entry import Entry

    bench = bench()
    book = Book.open(bench.task, bench.context)
    book.write(book.starting_record(), book.history)
    entry = Entry(bench.ti, book.notes)
    entry.begun(book)
    entry.close()
    bench.evaluate(KeyError())
    entry.placed(PLACE)
    assert bench.ledger.records[1].cause is Cause.APPLICATION
    assert bench.store.writes == 2


def test_a_policy_that_cannot_write_leaves_counting_to_the_next(bench: Any, counts: list[tuple[str, str]]) -> None:
    bench = bench()
    bench.store.down = frozenset({"set"})
    fail(bench, Interrupted("SIGTERM"))
    assert counts == []
    bench.store.down = frozenset()
    with attempt(bench.next_try().task, bench.context):
        pass
    assert [name for name, _ in counts] == ["interruptions", "forgiven"]


def test_a_fallback_is_counted_when_it_begins(bench: Any, counts: list[tuple[str, str]]) -> None:
    bench = bench(retries=0)
    for _ in range(2):  # it is resumed once
        with attempt(bench.task, bench.context):
            assert counts == [("fallbacks", "none")]
