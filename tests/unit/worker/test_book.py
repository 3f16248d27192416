# SPDX-License-Identifier: Apache-2.0
"""The ledger as one attempt reads and writes it."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import KEY, Ledger, Record, Terms
from airflow_interruptible.worker.book import Book, now

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
QUEUES = {"name": "queue", "spot": "cheap", "on_demand": "safe"}


def opened(bench: Any) -> Book:
    return Book.open(bench.task, bench.context)


def test_a_first_attempt_finds_an_empty_ledger(bench: Any) -> None:
    book = opened(bench())
    assert (book.attempt, book.interruptible, book.queue) == (1, True, "default")
    assert book.history.attempts == ()
    assert book.record == Record(capacity=SPOT)
    assert book.placement.capacity is SPOT


def test_opening_reads_once_and_writes_nothing(bench: Any) -> None:
    bench = bench()
    opened(bench)
    assert bench.store.writes == 0


@pytest.mark.parametrize("conf", [{"interruptible": False}, {"interruptible": False, "other": 1}])
def test_the_run_overrules_the_file(bench: Any, conf: dict[str, Any]) -> None:
    book = opened(bench(conf=conf))
    assert not book.interruptible
    assert book.placement.capacity is ON_DEMAND


def test_a_run_without_conf_is_no_run_that_says_something(bench: Any) -> None:
    bench = bench()
    context = {**bench.context, "dag_run": None}
    assert Book.open(bench.task, context).interruptible


@pytest.mark.parametrize("said", ["false", 0, [], "True"])
def test_a_run_that_says_nonsense_is_refused(bench: Any, said: object) -> None:
    with pytest.raises(TypeError, match=r"dag_run\.conf says"):
        opened(bench(conf={"interruptible": said}))


def test_what_a_worker_leaves_the_next_one_finds(bench: Any) -> None:
    bench = bench()
    book = opened(bench)
    book.write(Record(SPOT, Cause.APPLICATION, started=now()), book.history)
    following = opened(bench.next_try())
    assert [(a.number, a.cause) for a in following.history.attempts] == [(1, Cause.APPLICATION)]


def test_charges_are_written_for_people(bench: Any) -> None:
    """Attempt 1 vanished: only attempt 2 knows, and says so in the document."""
    bench = bench()
    book = opened(bench)
    book.write(book.starting_record(), book.history)
    assert bench.ledger.records[1].charge is None
    following = opened(bench.next_try())
    following.write(following.starting_record(), following.history)
    assert bench.ledger.records[1].charge is Charge.SYSTEM


def test_a_clear_starts_a_generation(bench: Any) -> None:
    bench = bench()
    for _ in range(2):
        book = opened(bench)
        book.write(Record(SPOT, Cause.APPLICATION, started=now()), book.history)
        bench.next_try()
    bench.ti.try_number -= 1
    book = opened(bench.clear())
    assert book.history.attempts == ()
    assert book.attempt == 3
    book.write(book.starting_record(), book.history)
    assert bench.ledger.bases == (0, 2)


def test_a_starting_record_says_where_and_since_when(bench: Any) -> None:
    record = opened(bench()).starting_record()
    assert record.capacity is SPOT
    here = {"host": socket.gethostname(), "pid": os.getpid(), "supervisor": os.getppid(), "queue": "default"}
    assert record.where == {**here, "placed": False}, "compute is none"
    assert record.started is not None
    assert datetime.fromisoformat(record.started).utcoffset() == timedelta(0)


def test_a_resumed_attempt_keeps_its_first_start(bench: Any) -> None:
    bench = bench()
    first = Record(SPOT, started="2026-01-01T00:00:00.000+00:00", where={"job": "j-1"})
    bench.store.set(KEY, Ledger(bench.ti.max_tries).with_record(1, first).to_json())
    record = opened(bench).starting_record()
    assert record.started == first.started
    assert record.where["job"] == "j-1"
    assert record.where["pid"] == os.getpid()


def test_the_server_s_word_about_this_attempt_counts(bench: Any) -> None:
    bench = bench()
    bench.store.set(KEY, Ledger(bench.ti.max_tries).with_record(1, Record(ON_DEMAND)).to_json())
    placement = opened(bench).placement
    assert placement.capacity is ON_DEMAND
    assert placement.why == "the server placed it there"


def test_the_queue_tells_what_the_attempt_really_runs_on(bench: Any) -> None:
    bench = bench(compute=QUEUES)
    bench.ti.queue = "safe"
    placement = opened(bench).placement
    assert placement.capacity is ON_DEMAND
    assert placement.why == "queue 'safe' stands for it, although spot was due"


@pytest.mark.parametrize("queue", ["cheap", "elsewhere", None])
def test_a_queue_that_agrees_or_knows_nothing_changes_nothing(bench: Any, queue: str | None) -> None:
    bench = bench(compute=QUEUES)
    bench.ti.queue = queue
    placement = opened(bench).placement
    assert placement.capacity is SPOT
    assert placement.why == "the task is interruptible"


@pytest.mark.parametrize("rubbish", ["x", 7, [], {"version": 99}, {"version": 1, "attempts": 3}])
def test_a_ledger_that_cannot_be_understood_is_left_as_it_is(bench: Any, rubbish: object) -> None:
    """Somebody else may understand it: another version, after an upgrade is taken back."""
    bench = bench()
    bench.store.set(KEY, rubbish)
    book = opened(bench)
    assert isinstance(book.unread, LedgerError)
    assert book.placement.capacity is ON_DEMAND
    assert book.write(book.starting_record(), book.history).record.started is not None
    assert bench.store.get(KEY) == rubbish


def test_by_what_it_counts_is_written_down(bench: Any) -> None:
    bench = bench(retries=4, system_retries=1)
    book = opened(bench)
    book.write(book.starting_record(), book.history)
    assert bench.ledger.terms == Terms(Budget(4, 1), interruptible=True)


def test_the_number_of_airflow_tasks_test_is_one(bench: Any) -> None:
    bench = bench()
    bench.ti.try_number = 0
    assert opened(bench).attempt == 1


def test_a_store_that_is_down_is_not_hidden(bench: Any) -> None:
    bench = bench()
    bench.store.down = frozenset({"get"})
    with pytest.raises(ConnectionError):
        opened(bench)
