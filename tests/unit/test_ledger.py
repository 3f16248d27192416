# SPDX-License-Identifier: Apache-2.0
"""One JSON document per task instance, which outlives attempts, clears and versions."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import Trace
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.ledger import Ledger, Record

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
BUDGET = Budget(2, 3)
FULL = Record(
    SPOT,
    Cause.SPOT_INTERRUPTION,
    Charge.SYSTEM,
    started="2026-01-01T00:00:00.000+00:00",
    ended="2026-01-01T00:05:00.000+00:00",
    reason="attempt 1 on spot interrupted",
    where={"host": "node-1", "pid": 7, "queue": None},
    why="the task is interruptible",
    notice={"provider": "ec2", "at": "2026-01-01T00:03:00.000+00:00", "deadline": None},
    checkpoint={"at": "2026-01-01T00:04:00.000+00:00", "loaded": False},
)

some = st.text(max_size=20)
words = st.none() | some
times = st.none() | st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)).map(
    lambda moment: moment.replace(tzinfo=timezone.utc).isoformat(timespec="milliseconds")
)
records = st.builds(
    Record,
    capacity=st.none() | st.sampled_from(CapacityType),
    cause=st.none() | st.sampled_from(Cause),
    charge=st.none() | st.sampled_from(Charge),
    started=times,
    ended=times,
    told=times,
    reason=words,
    where=st.dictionaries(st.text(max_size=5), st.integers(-(2**62), 2**62) | words, max_size=3),
    why=words,
    notice=st.none() | st.fixed_dictionaries({"provider": some, "at": times.filter(bool), "deadline": times}),
    checkpoint=st.none() | st.fixed_dictionaries({"at": times, "loaded": st.booleans()}),
)
ledgers = st.builds(
    Ledger,
    max_tries=st.none() | st.integers(0, 20),
    bases=st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True).map(sorted).map(tuple),
    records=st.dictionaries(st.integers(1, 20), records, max_size=5),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A document of ours in which somebody replaced one value by something else."""
    document = Ledger(5, (0, 1)).with_record(1, FULL).with_record(2, FULL).to_json()
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        place[key] = draw(json_values)
        return document


def test_nothing_stored_is_the_empty_ledger() -> None:
    assert Ledger.from_json(None) == Ledger()
    assert Ledger().base == 0


def test_the_document_as_people_see_it() -> None:
    document = Ledger(5).with_record(1, FULL).with_record(2, Record(ON_DEMAND)).to_json()
    assert document == {
        "version": 1,
        "max_tries": 5,
        "bases": [0],
        "attempts": {
            "1": {
                "capacity": "spot",
                "cause": "spot_interruption",
                "charge": "system",
                "started": "2026-01-01T00:00:00.000+00:00",
                "ended": "2026-01-01T00:05:00.000+00:00",
                "reason": "attempt 1 on spot interrupted",
                "where": {"host": "node-1", "pid": 7, "queue": None},
                "why": "the task is interruptible",
                "notice": {"provider": "ec2", "at": "2026-01-01T00:03:00.000+00:00", "deadline": None},
                "checkpoint": {"at": "2026-01-01T00:04:00.000+00:00", "loaded": False},
            },
            "2": {"capacity": "on-demand"},
        },
    }
    assert Ledger.from_json(json.loads(json.dumps(document))).records[1] == FULL


@given(ledgers)
def test_what_is_written_is_read_back(ledger: Ledger) -> None:
    document = json.loads(json.dumps(ledger.to_json()))
    read, kept = Ledger.from_json(document).to_json(), len(document["attempts"]) + 1
    assert read == {**document, "bases": document["bases"][-kept:]}


@given(json_values | damaged())
@example({"version": 1, "max_tries": 5, "bases": [0], "attempts": {"1": {"reason": 5}}})
@example({"version": 1, "max_tries": 5, "bases": [0], "attempts": {"1": {"where": [["host", "h"]]}}})
@example({"version": 1, "max_tries": 5, "bases": [9], "attempts": {}})
def test_rubbish_is_refused_or_can_be_written_again(document: Any) -> None:
    """Whatever is accepted must not make every later write fail."""
    try:
        ledger = Ledger.from_json(document)
    except LedgerError:
        return
    again = json.loads(json.dumps(ledger.with_record(9, Record(SPOT)).to_json()))
    Ledger.from_json(again)


@given(json_values | damaged(), st.integers(1, 9))
@example({"version": 1, "max_tries": 5, "bases": [9], "attempts": {}}, 2)
@example({"version": 1, "max_tries": 5, "bases": [-(10**9)], "attempts": {}}, 2)
def test_rubbish_is_refused_or_leads_to_a_history(document: Any, attempt: int) -> None:
    try:
        ledger = Ledger.from_json(document)
    except LedgerError:
        return
    try:
        history = ledger.at(attempt, 5, BUDGET).history(BUDGET, True, before=attempt)
    except LedgerError:
        return
    assert history.next_number == attempt


def test_a_refusal_says_what_follows() -> None:
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger.from_json({"version": 2})


@pytest.mark.parametrize(
    "bases", [[-1], [-(10**9)], [0, 0], [0, 2] * 8, [3, 1], [True], [1.0], ["0"], [10**12], [], "0", None]
)
def test_bases_that_cannot_be_are_refused(bases: Any) -> None:
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger.from_json({"version": 1, "max_tries": 5, "bases": bases, "attempts": {"1": {}, "2": {}}})


@pytest.mark.parametrize("number", ["0", "-1", "x", "", " 1", "1_0", "\u0661", "1000000", "9" * 5000])
def test_numbers_that_no_attempt_has_are_refused(number: str) -> None:
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger.from_json({"version": 1, "max_tries": 5, "bases": [0], "attempts": {number: {}}})


@pytest.mark.parametrize(
    "time", ["soon", "", "0001-01-01T00:00:00+00:00", "1969-12-31T23:59:59+00:00", 5, "2" * 60_000]
)
@pytest.mark.parametrize("name", ["started", "ended", "told"])
def test_times_that_are_none_are_refused(name: str, time: Any) -> None:
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger.from_json({"version": 1, "max_tries": 5, "bases": [0], "attempts": {"1": {name: time}}})


def test_a_clear_that_has_not_happened_yet_is_refused() -> None:
    """``bases: [1000000]`` would start both budgets afresh at every attempt."""
    ledger = Ledger.from_json({"version": 1, "max_tries": 5, "bases": [2], "attempts": {}})
    assert ledger.at(3, 5, BUDGET).base == 2
    with pytest.raises(LedgerError, match="cannot come before the clear"):
        ledger.at(2, 5, BUDGET)


def test_of_generations_without_a_record_the_latest_are_kept() -> None:
    document = {"version": 1, "max_tries": 5, "bases": list(range(8000)), "attempts": {"8000": {}}}
    assert Ledger.from_json(document).bases == (7998, 7999)


def test_what_is_too_long_is_cut() -> None:
    long = "x" * 60_000
    where = {"zone": long, "pid": 7, "nested": [[]], "huge": 10**400, **{f"n{i}": "y" for i in range(100)}}
    record = {"reason": long, "why": long, "rule": long, "where": where}
    record["notice"] = {"provider": long, "at": "2026-01-01T00:00:00Z", "deadline": None}
    read = Ledger.from_json({"version": 1, "max_tries": 5, "bases": [0], "attempts": {"1": record}}).records[1]
    assert (len(read.reason or ""), len(read.why or ""), read.rule) == (300, 300, None)
    assert (len(read.where["zone"]), read.where["pid"], len(read.where)) == (250, 7, 50)
    assert read.notice is not None
    assert len(read.notice["provider"]) == 250
    assert not {"nested", "huge"} & read.where.keys()


def test_a_refusal_is_short() -> None:
    with pytest.raises(LedgerError) as refused:
        Ledger.from_json({"version": 1, "max_tries": 5, "bases": [0], "attempts": {"1": {"capacity": "x" * 60_000}}})
    assert len(str(refused.value)) < 700


def test_the_number_of_airflow_tasks_test_is_no_clear() -> None:
    """``airflow tasks test`` runs attempt 0."""
    assert Ledger().at(0, 5, BUDGET).base == 0


def test_fields_of_a_later_version_are_dropped() -> None:
    document = {"version": 1, "max_tries": 5, "bases": [0], "new": 1, "attempts": {"1": {"capacity": "spot", "new": 2}}}
    assert Ledger.from_json(document).records == {1: Record(SPOT)}


def test_a_reason_is_shortened() -> None:
    ledger = Ledger().with_record(1, Record(reason="x" * 1000))
    assert len(ledger.to_json()["attempts"]["1"]["reason"]) == 240


def test_a_record_is_a_trace() -> None:
    assert FULL.trace == Trace(SPOT, Cause.SPOT_INTERRUPTION, started=True)
    assert Record(ON_DEMAND).trace == Trace(ON_DEMAND, None, started=False)
    assert Record(SPOT, told="2026-01-01T00:00:00.000+00:00").trace == Trace(SPOT, None, started=False, told=True)


# -- generations


@pytest.mark.parametrize(
    ("attempt", "max_tries", "base"),
    [
        (1, 5, 0),  # the first attempt
        (4, 5, 0),  # nothing was cleared
        (4, 8, 3),  # cleared after attempt 3
        (2, 3, 0),  # the author lowered retries in the middle of a run
        (2, 1, 0),  # it was adopted in the middle of a run
        (2, 50, 1),  # the author raised them: an attempt is never older than its own clear
    ],
)
def test_a_clear_that_nobody_saw_is_found_in_airflow_s_max_tries(attempt: int, max_tries: int, base: int) -> None:
    assert Ledger().at(attempt, max_tries, BUDGET).base == base


def test_a_generation_is_entered_once() -> None:
    ledger = Ledger().at(1, 5, BUDGET)
    assert ledger.at(3, 5, BUDGET) is ledger
    cleared = ledger.at(4, 8, BUDGET)
    assert cleared.bases == (0, 3)
    assert cleared.at(5, 8, BUDGET) is cleared
    assert cleared.at(7, 11, BUDGET).bases == (0, 3, 6)


def test_a_change_of_retries_in_the_middle_of_a_run_does_not_move_the_base() -> None:
    """``max_tries`` is a column: Airflow does not change it when the file changes."""
    ledger = Ledger().at(1, 5, BUDGET)
    assert ledger.at(2, 5, Budget(9, 9)).base == 0


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_clears_and_bases_agree(steps: list[tuple[int, bool]], user_retries: int, system_retries: int) -> None:
    """However often a task is cleared, the base is the last attempt before the last clear."""
    budget = Budget(user_retries, system_retries)
    ledger, attempt, max_tries, base = Ledger(), 1, budget.total_retries, 0
    for tries, cleared in steps:
        attempt += tries
        if cleared:
            base = attempt - 1
            max_tries = base + budget.total_retries
        ledger = ledger.at(attempt, max_tries, budget)
        assert ledger.base == base


def test_only_attempts_since_the_clear_count() -> None:
    ledger = Ledger().at(1, 5, BUDGET)
    for number in (1, 2, 3):
        ledger = ledger.with_record(number, Record(SPOT, Cause.APPLICATION))
    history = ledger.cleared(3, 8).at(5, 8, BUDGET).history(BUDGET, True, before=5)
    assert [attempt.number for attempt in history.attempts] == [4]
    assert history.account.user_failures == 0


def test_a_clear_is_written_down_whatever_max_tries_says() -> None:
    """The platform lowered the system retries by as many as tries were made: Airflow's number is the same as before."""
    ledger = Ledger().at(1, 3, Budget(0, 3)).with_record(1, Record(ON_DEMAND, Cause.APPLICATION)).cleared(1, 3)
    assert ledger.at(2, 3, Budget(0, 2)).bases == (0, 1)
    assert not ledger.at(2, 3, Budget(0, 2)).history(Budget(0, 2), True, before=2).account.exhausted


def test_a_clear_is_written_down_once() -> None:
    ledger = Ledger().cleared(3, 8)
    assert ledger.cleared(3, 8) == ledger
    assert ledger.cleared(5, 10).bases == (0, 3, 5)
    assert ledger.cleared(2, 7).bases == (0, 2), "what a ledger says of later ones cannot be"


def test_the_first_try_of_airflow_tasks_test_is_number_one() -> None:
    """It speaks of try 0."""
    assert Ledger().at(0, 0, BUDGET).history(BUDGET, True, before=0).next_number == 1


@pytest.mark.parametrize(("max_tries", "capacity"), [(1, ON_DEMAND), (2, SPOT), (None, SPOT)])
def test_the_last_try_that_airflow_allows_is_on_demand(max_tries: int | None, capacity: CapacityType) -> None:
    """A plain Dag with ``retries=1`` fails once; then its file says interruptible."""
    ledger = Ledger(max_tries, records={1: Record(cause=Cause.APPLICATION)})
    assert ledger.history(BUDGET, True, before=2).next_placement.capacity is capacity


# -- records


def test_a_ledger_is_a_value() -> None:
    ledger = Ledger()
    ledger.with_record(1, FULL)
    assert ledger == Ledger()


def test_the_oldest_attempts_are_dropped() -> None:
    ledger = Ledger(bases=(0, 204))
    for number in range(1, 206):
        ledger = ledger.with_record(number, Record(SPOT))
    assert list(ledger.records) == list(range(6, 206))


def test_no_attempt_that_counts_is_dropped() -> None:
    """There are authors who poll with 1000 retries; what is dropped would be taken for the platform's fault."""
    ledger, budget = Ledger(), Budget(user_retries=1000, system_retries=3)
    for number in range(1, 251):
        ledger = ledger.with_record(number, Record(SPOT, Cause.APPLICATION))
    account = ledger.history(budget, True, before=251).account
    assert (account.user_failures, account.system_failures) == (250, 0)


def test_charges_are_worked_out_anew_and_written_beside_the_causes() -> None:
    ledger = Ledger(5).with_record(1, Record(SPOT, Cause.APPLICATION, Charge.SYSTEM)).with_record(3, Record(SPOT))
    history = ledger.history(BUDGET, True, before=4)
    charged = ledger.with_charges(history)
    assert [charged.records[n].charge for n in (1, 2, 3)] == [Charge.USER, Charge.SYSTEM, Charge.SYSTEM]
    assert charged.records[2].capacity is SPOT
    assert charged.with_charges(history) == charged
    assert charged.history(BUDGET, True, before=4) == history, "writing charges must change nothing"
