# SPDX-License-Identifier: Apache-2.0
"""Whoever may write to a task instance may write its ledger: every reader answers at once, whatever stands in it.

The readers are those of all processes: what the scheduler and the API server do with a ledger, a worker's, the command
line's, the pages' and the report's. Time is the processor's, so that a busy machine tells nothing else.
"""

from __future__ import annotations

import gc
import json
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from forged import FORGED, LONG
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from airflow_interruptible.attempts import tell
from airflow_interruptible.cli.attempts import as_text
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import KEY, Ledger, Record
from airflow_interruptible.marker import Marker
from airflow_interruptible.metrics import uncounted
from airflow_interruptible.report.entry import Row, entries
from airflow_interruptible.server.tries import TaskInstanceTries, Try
from airflow_interruptible.ui import attempts as of_pages
from airflow_interruptible.worker.book import Book

if TYPE_CHECKING:
    from collections.abc import Callable

BUDGET = Budget(2, 3)
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
MARKER = Marker(True, BUDGET, CapacityType.SPOT, timedelta(seconds=10))


def server(document: str) -> None:
    """What placing the next attempt reads."""
    read = Ledger.from_json(from_json(document)).at(3, 5, BUDGET)
    history = read.history(BUDGET, True, before=3)
    uncounted(read, history)
    read.with_record(2, Record(CapacityType.SPOT)).with_charges(history).to_json()


def pages(document: str) -> None:
    rows = [Try(number, "failed", NOW, NOW, "h", MARKER) for number in (1, 2, 3)]
    known = TaskInstanceTries(rows, Ledger.from_json(from_json(document)), 5, {}, "running", marker=MARKER)
    told = tell(known)
    assert len(as_text(told)) < 20_000
    assert len(of_pages.answer(("d", "t", "r", -1), told).model_dump_json()) < 100_000


def report(document: str) -> None:
    found = entries(Row(1, NOW, "success", 3, NOW, "d", "r", "t", -1, document, NOW - timedelta(hours=1)))
    assert len(found) <= 4
    assert sum(entry.seconds(NOW.timestamp()) for entry in found) <= 4 * 3600


@pytest.fixture
def worker(bench: Any) -> Callable[[str], None]:
    one = bench()

    def read(document: str) -> None:
        one.store.set(KEY, from_json(document))
        one.ti.try_number, one.ti.max_tries = 3, 5
        book = Book.open(one.task, one.context)
        book.write(book.starting_record(), book.history)

    return read


def answered(read: Callable[[str], None], document: Any) -> None:
    """Read within a second of this thread's own work: what other tests left in memory is nobody's to look through."""
    text = json.dumps(document)
    gc.disable()
    began = time.thread_time()
    try:
        with suppress(LedgerError, ValueError):
            read(text)
    finally:
        took = time.thread_time() - began
        gc.enable()
    assert took < 1


@pytest.mark.parametrize("document", FORGED, ids=range(len(FORGED)))
def test_a_forgery_stops_nobody(worker: Callable[[str], None], document: Any) -> None:
    for reader in (server, pages, report, worker):
        answered(reader, document)


whole = st.integers() | st.sampled_from([-(10**9), -1, 0, 1, 2, 10**6, 10**9, 10**400])
anything = st.recursive(
    st.none() | st.booleans() | whole | st.floats(allow_nan=False) | st.text(max_size=20) | st.just(LONG),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
NAMES = ["capacity", "cause", "charge", "started", "ended", "told", "where", "notice", "checkpoint", "away", "left"]
VALUES = anything | st.sampled_from(["spot", "user", "unknown", NOW.isoformat(), "9999-12-31T00:00:00+00:00"])
documents = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "max_tries": st.just(5) | whole,
        "bases": st.lists(whole, max_size=50) | st.just([0]) | anything,
        "attempts": st.dictionaries(
            st.integers(-1, 9).map(str) | st.text(max_size=5),
            st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4) | anything,
            max_size=9,
        ),
    },
    optional={"terms": anything},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents | anything)
def test_no_document_stops_anybody(worker: Callable[[str], None], document: Any) -> None:
    for reader in (server, pages, report, worker):
        answered(reader, document)
