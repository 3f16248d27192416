# SPDX-License-Identifier: Apache-2.0
"""Attempts as reports count them: they must say what the ledger's own objects say, at a fraction of the cost."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.ledger import Ledger, Record
from airflow_interruptible.report.entry import UNKNOWN, Entry, Row, _shared, entries, shared

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)


def at(minutes: float) -> str:
    return (T0 + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def seconds(minutes: float) -> float:
    return (T0 + timedelta(minutes=minutes)).timestamp()


def read(
    records: dict[int, Record], *, bases: tuple[int, ...] = (0,), document: str | None = None, **row: Any
) -> list[Entry]:
    document = document if document is not None else json.dumps(Ledger(5, bases, records).to_json())
    known: dict[str, Any] = {"state": "success", "number": max(records, default=0), "end": None, **row}
    updated = T0 + timedelta(minutes=90)
    of_run = ("dag", "run", "task", -1, document, known.get("created"))
    return entries(Row(7, updated, known["state"], known["number"], known["end"], *of_run))


INTERRUPTED = Record(SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM, at(0), at(10), "why", {"zone": "a"})


def test_a_written_end() -> None:
    (entry,) = read({1: INTERRUPTED})
    assert entry == Entry(
        7, "dag", "run", "task", -1, 1, "spot", "spot_interruption", "system", "a", UNKNOWN, seconds(0), seconds(10),
        False, False, heard=seconds(10),
    )  # fmt: skip
    assert entry.interrupted
    assert entry.seconds(seconds(60)) == 600


def test_the_end_of_a_success_is_airflows() -> None:
    (entry,) = read({1: Record(SPOT, started=at(0))}, end=T0 + timedelta(minutes=30))
    assert (entry.end, entry.cause, entry.charge) == (seconds(30), None, None)


def test_a_time_of_sqlite_has_no_offset_and_is_utc() -> None:
    (entry,) = read({1: Record(SPOT, started=at(0))}, end=datetime(2026, 1, 1, 0, 30))
    assert entry.end == seconds(30)


def test_what_runs_has_not_ended() -> None:
    (entry,) = read({1: Record(SPOT, started=at(0))}, state="running", end=T0 - timedelta(minutes=1))
    assert entry.end == math.inf
    assert entry.seconds(seconds(5)) == 300


@pytest.mark.parametrize("state", ["deferred", "up_for_reschedule", "queued"])
def test_what_waits_to_go_on_has_not_ended(state: str) -> None:
    (entry,) = read({1: Record(SPOT, started=at(0))}, state=state, end=T0 - timedelta(minutes=1))
    assert entry.end == math.inf


def test_what_waits_for_its_start_costs_nothing() -> None:
    (entry,) = read({1: Record(SPOT)}, state="queued", end=T0 - timedelta(minutes=1))
    assert (entry.end, entry.seconds(seconds(200))) == (seconds(90), 0)


def test_what_has_a_cause_has_ended_though_airflow_does_not_know_it_yet() -> None:
    record = Record(SPOT, Cause.SPOT_INTERRUPTION, Charge.SYSTEM, at(0))
    (entry,) = read({1: record}, state="running")
    assert entry.end == seconds(90)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999+00:00"])
def test_a_time_that_nobody_could_be_told_is_no_ledger(time: str) -> None:
    assert read({1: replace(INTERRUPTED, started=time)}) == read({1: replace(INTERRUPTED, ended=time)}) == []


def test_an_attempt_that_never_reported_ended_when_the_next_began() -> None:
    lost = Record(SPOT, charge=Charge.SYSTEM, started=at(0))
    first, _ = read({1: lost, 2: Record(SPOT, started=at(12))}, state="running")
    assert (first.end, first.cause) == (seconds(12), "spot_interruption")


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        (Record(SPOT, charge=Charge.SYSTEM), "infrastructure"),
        (Record(SPOT, charge=Charge.USER, started=at(0)), "spot_interruption"),
        (Record(ON_DEMAND, charge=Charge.USER, started=at(0)), "unknown"),
        (Record(SPOT, started=at(0)), None),
        (Record(SPOT, charge=Charge.NONE, started=at(0)), None),
    ],
)
def test_silence_is_judged_as_the_rules_judge_it(record: Record, cause: str | None) -> None:
    (entry,) = read({1: record})
    assert entry.cause == cause


def test_on_demand_after_spot_is_a_fallback_until_the_next_clear() -> None:
    on_demand = Record(ON_DEMAND, started=at(20), ended=at(30))
    assert [entry.fallback for entry in read({1: INTERRUPTED, 2: on_demand, 3: on_demand})] == [False, True, True]
    assert [entry.fallback for entry in read({1: INTERRUPTED, 2: on_demand}, bases=(0, 1))] == [False, False]
    assert [entry.fallback for entry in read({1: on_demand})] == [False]


def test_time_in_the_triggerer_is_no_machine_time() -> None:
    (entry,) = read({1: Record(SPOT, started=at(0), left=at(2), away=60)}, state="deferred")
    assert (entry.left, entry.away, entry.on_machine) == (seconds(2), 60.0, False)
    assert entry.seconds(seconds(500)) == 60.0
    (back,) = read({1: Record(SPOT, started=at(0), away=60)}, state="running")
    assert (back.on_machine, back.seconds(seconds(5))) == (True, 240.0)


def test_what_was_saved_is_not_lost() -> None:
    (entry,) = read({1: replace(INTERRUPTED, checkpoint={"at": at(7), "loaded": False})})
    assert entry.lost(seconds(60)) == 180.0
    (only_read,) = read({1: replace(INTERRUPTED, checkpoint={"at": None, "loaded": True})})
    assert only_read.lost(seconds(60)) == 600.0


def test_how_long_the_task_stood_still() -> None:
    lost, again = read({1: INTERRUPTED, 2: Record(SPOT, started=at(12))}, state="running")
    assert (lost.recovered, again.recovered) == (120.0, None)
    own = replace(INTERRUPTED, cause=Cause.APPLICATION, charge=Charge.USER)
    assert read({1: own, 2: Record(SPOT, started=at(12))})[0].recovered is None
    assert read({1: replace(INTERRUPTED, ended=None), 2: Record(SPOT, started=at(12))})[0].recovered is None


def test_a_task_that_fell_silent_stood_still_since_it_was_last_heard_of() -> None:
    after = Record(SPOT, started=at(17))
    silent = Record(SPOT, charge=Charge.SYSTEM, started=at(0), ended=at(15), heard=at(10))
    (lost, _) = read({1: silent, 2: after}, state="running")
    assert (lost.heard, lost.end, lost.recovered) == (seconds(10), seconds(15), 420.0)
    (unknown, _) = read({1: replace(silent, heard=None), 2: after}, state="running")
    assert (unknown.heard, unknown.recovered) == (None, 120.0), "only when it was noticed is known"
    (never, _) = read({1: replace(silent, started=None), 2: after}, state="running")
    assert (never.heard, never.recovered) == (None, 120.0)
    (reported, _) = read({1: INTERRUPTED, 2: after}, state="running")
    assert (reported.heard, reported.recovered) == (seconds(10), 420.0)


def test_attempts_are_read_in_their_order_and_notices_are_seen() -> None:
    noticed = Record(SPOT, started=at(0), notice={"provider": "ec2", "at": at(1), "deadline": None})
    found = read(dict.fromkeys((11, 2, 1), noticed))
    assert [entry.attempt for entry in found] == [1, 2, 11]
    assert all(entry.noticed for entry in found)


@pytest.mark.parametrize(
    "document", ["", "null", "[]", "{}", '{"attempts": {"1": {"cause": "weather"}}, "bases": [0]}',
                 '{"attempts": {"1": {"started": "soon"}}, "bases": [0]}', '{"attempts": {"x": {}}, "bases": [0]}',
                 '{"attempts": {"1": {"away": 1' + 400 * '0' + '}}, "bases": [0]}',
                 '{"attempts": {"1": {"where": {"zone": 5}}}, "bases": [0]}', '{"attempts": {"1": 5}, "bases": [0]}'],
)  # fmt: skip
def test_what_is_no_ledger_counts_nothing(document: str) -> None:
    assert read({}, document=document) == []


def test_times_are_held_against_airflows_own() -> None:
    """``started`` in the year 1970 adds half a million lost hours to everybody's totals."""
    forged = replace(INTERRUPTED, started="1970-01-02T00:00:00+00:00", ended="9999-01-01T00:00:00+00:00")
    (entry,) = read({1: forged}, created=T0 - timedelta(minutes=5))
    assert (entry.start, entry.end) == (seconds(-5), seconds(90))


def test_attempts_that_there_have_not_been_are_not_counted() -> None:
    found = read(dict.fromkeys((1, 2, 3, 999_999), INTERRUPTED), number=2)
    assert [entry.attempt for entry in found] == [1, 2, 3]


def test_told_to_stop_on_demand_counts_as_an_interruption() -> None:
    (entry,) = read({1: Record(ON_DEMAND, charge=Charge.SYSTEM, started=at(0), told=at(5))})
    assert entry.cause == "infrastructure"


def test_names_are_not_kept_for_ever() -> None:
    for number in range(120_000):
        shared(f"forged-{number}")
    assert len(_shared) <= 100_001
