# SPDX-License-Identifier: Apache-2.0
"""How long tasks stood still, and where that time went."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.report.entry import Entry
from airflow_interruptible.report.recovery import PARTED, PARTS, Parts, Stretch, Try, latest, recovered, recovery

HEARD = 1_000.0


def lost(row: int = 1, attempt: int = 1, **said: Any) -> Entry:
    """An attempt that was last heard of at 1000 s, and whose successor was at work 340 s later."""
    plain = Entry(
        row=row, dag_id="dag", run_id="run", task_id="task", map_index=-1, attempt=attempt, capacity="spot",
        cause="spot_interruption", charge="system", zone="a", instance_type="m5", start=0.0, end=1_300.0,
        noticed=False, fallback=False, heard=HEARD, recovered=340.0,
    )  # fmt: skip
    return plain._replace(**said)


def went(entry: Entry, of: Try | None, following: Try | None) -> dict[str, float | None]:
    """The medians of the parts."""
    rows = {(1, 1): of, (1, 2): following}
    found = recovery([entry], {key: row for key, row in rows.items() if row is not None})
    assert found is not None
    assert (found.count, found.median, found.p95) == (1, entry.recovered, entry.recovered)
    parts = {name: getattr(found.parts, name) for name in PARTS}
    assert all(part is None or (part.count, part.p95) == (1, part.median) for part in parts.values())
    return {name: part and part.median for name, part in parts.items()}


ENDED, NEXT = Try(-50.0, 0.0, HEARD + 300), Try(HEARD + 310, HEARD + 335, None)


def test_every_part_of_a_silent_loss() -> None:
    assert went(lost(), ENDED, NEXT) == {"noticing": 300, "delay": 10, "queue": 25, "start": 5}


def test_of_a_loss_that_was_reported_nothing_went_into_noticing() -> None:
    reported = lost(end=HEARD, recovered=4.0)
    rows = (ENDED._replace(end=HEARD - 0.2), Try(HEARD + 1, HEARD + 2.5, HEARD + 60))
    assert went(reported, *rows) == {"noticing": 0, "delay": 1, "queue": 1.5, "start": 1.5}


def test_what_is_not_known_leaves_the_parts_beside_it_unknown() -> None:
    unknown = dict.fromkeys(PARTS)
    assert went(lost(), None, None) == unknown
    assert went(lost(), ENDED, None) == {**unknown, "noticing": 300}
    assert went(lost(), None, NEXT) == {**unknown, "queue": 25, "start": 5}
    assert went(lost(), ENDED, NEXT._replace(scheduled=None)) == {**unknown, "noticing": 300, "start": 5}
    silent = lost(heard=None, end=HEARD + 300, recovered=40.0)
    assert went(silent, ENDED, NEXT) == {"noticing": None, "delay": 10, "queue": 25, "start": 5}


def test_a_try_that_came_back_from_the_triggerer_was_scheduled_later_than_it_began() -> None:
    came_back = Try(HEARD + 3_600, HEARD + 335, None)
    assert went(lost(), ENDED, came_back) == {"noticing": 300, "delay": None, "queue": None, "start": 5}


def test_clocks_may_differ_by_seconds_and_no_part_is_below_zero() -> None:
    ahead = Try(HEARD + 298, HEARD + 343, None)
    assert went(lost(), ENDED, ahead) == {"noticing": 300, "delay": 0, "queue": 42, "start": 0}


def test_medians_and_most() -> None:
    entries = [lost(row, recovered=float(row), end=HEARD, cause="no_capacity") for row in range(1, 101)]
    rows = {(row, 2): Try(HEARD, HEARD + row / 2, None) for row in range(1, 101)}
    found = recovery(entries, rows)
    assert found is not None
    assert asdict(found) == {
        "count": 100,
        "median": 50.5,
        "p95": 96.0,
        "parts": {
            "noticing": None,
            "delay": None,
            "queue": {"count": 100, "median": 25.25, "p95": 48.0},
            "start": {"count": 100, "median": 25.25, "p95": 48.0},
        },
    }


def test_only_the_latest_are_parted() -> None:
    entries = [lost(row, end=HEARD + row, heard=HEARD + row) for row in range(PARTED + 20)]
    chosen = latest(entries)
    assert {entry.row for entry in chosen} == set(range(20, PARTED + 20))
    rows = {(entry.row, 2): Try(entry.end + 10, None, None) for entry in entries}
    rows |= {(entry.row, 1): Try(None, None, entry.end + (0 if entry.row < 20 else 4)) for entry in entries}
    found = recovery(entries, rows)
    assert found is not None
    assert (found.count, found.parts.noticing, found.parts.delay) == (
        PARTED + 20,
        Stretch(PARTED, 4.0, 4.0),
        Stretch(PARTED, 6.0, 6.0),
    )


def test_whom_nothing_followed_and_other_causes_are_left_out() -> None:
    entries = [lost(), lost(2, recovered=None), lost(3, cause="no_capacity")]
    assert [entry.row for entry in recovered(entries, None)] == [1, 3]
    assert [entry.row for entry in recovered(entries, "no_capacity")] == [3]
    assert recovery([], {}) is None


def test_the_parts_have_the_names_that_are_told() -> None:
    assert tuple(each.name for each in fields(Parts)) == PARTS


moments = st.none() | st.floats(0, 2_000)


@given(end=moments, scheduled=moments, start=moments, took=st.floats(0, 900), heard=st.booleans())
def test_parts_never_come_to_more_than_all(
    end: float | None, scheduled: float | None, start: float | None, took: float, heard: bool
) -> None:
    entry = lost(end=HEARD, heard=HEARD if heard else None, recovered=took)
    parts = went(entry, Try(None, None, end), Try(scheduled, start, None))
    known = [part for part in parts.values() if part is not None]
    assert all(part >= 0 for part in known)
    ordered = None in (end, scheduled, start) or end <= scheduled <= start  # type: ignore[operator]
    if ordered:
        assert sum(known) <= took + 1e-6
