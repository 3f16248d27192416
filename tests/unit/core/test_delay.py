# SPDX-License-Identifier: Apache-2.0
"""When the next attempt starts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.delay import LONGEST_AUTHOR_DELAY, LONGEST_SYSTEM_DELAY, AuthorBackoff, system_delay

TEN = timedelta(seconds=10)
JITTER = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("row", [-1, 0, 1])
def test_the_first_of_a_row_starts_at_once(row: int) -> None:
    assert system_delay(row, TEN, jitter=0.999) == timedelta(0)


@pytest.mark.parametrize(("row", "longest"), [(2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (1000, 300)])
def test_each_further_one_doubles_up_to_five_minutes(row: int, longest: int) -> None:
    assert system_delay(row, TEN, jitter=1) == timedelta(seconds=longest)
    assert system_delay(row, TEN, jitter=0.5) == timedelta(seconds=longest / 2)
    assert system_delay(row, TEN, jitter=0) == timedelta(0)


def test_no_delay_asked_for_is_none_ever() -> None:
    assert system_delay(50, timedelta(0), jitter=1) == timedelta(0)


@given(
    row=st.integers(1, 10_000),
    base=st.timedeltas(min_value=timedelta(0), max_value=timedelta.max),
    jitter=JITTER,
)
def test_a_system_delay_is_bounded_whatever_was_configured(row: int, base: timedelta, jitter: float) -> None:
    delay = system_delay(row, base, jitter)
    assert timedelta(0) <= delay <= LONGEST_SYSTEM_DELAY


@given(row=st.integers(2, 60), base=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)), jitter=JITTER)
def test_a_longer_row_never_waits_less(row: int, base: timedelta, jitter: float) -> None:
    assert system_delay(row, base, jitter) <= system_delay(row + 1, base, jitter)


@pytest.mark.parametrize("multiplier", [0.0, 1.0, -2.0])
def test_without_backoff_the_authors_delay_is_taken_as_it_is(multiplier: float) -> None:
    backoff = AuthorBackoff(timedelta(days=3), multiplier, max_retry_delay=timedelta(hours=1))
    assert backoff.delay(7, jitter=0.9) == timedelta(days=3)


@pytest.mark.parametrize(("user_attempt", "seconds"), [(1, 60), (2, 120), (3, 240), (4, 480)])
def test_backoff_counts_user_attempts(user_attempt: int, seconds: int) -> None:
    assert AuthorBackoff(timedelta(seconds=60), 2.0).delay(user_attempt, jitter=0) == timedelta(seconds=seconds)


def test_jitter_adds_at_most_as_much_again() -> None:
    backoff = AuthorBackoff(timedelta(seconds=60), 2.0)
    assert backoff.delay(2, jitter=0.5) == timedelta(seconds=180)
    assert backoff.delay(2, jitter=0.999) < timedelta(seconds=240)


def test_a_backoff_below_a_second_waits_a_second() -> None:
    assert AuthorBackoff(timedelta(0), 2.0).delay(3, jitter=0) == timedelta(seconds=1)


def test_the_authors_own_ceiling_holds() -> None:
    backoff = AuthorBackoff(timedelta(seconds=60), 3.0, max_retry_delay=timedelta(minutes=5))
    assert backoff.delay(9, jitter=0.7) == timedelta(minutes=5)


def test_what_no_float_can_hold_is_a_day() -> None:
    assert AuthorBackoff(timedelta(seconds=60), 10.0).delay(100_000, jitter=0.5) == LONGEST_AUTHOR_DELAY


@given(
    delay=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)),
    multiplier=st.floats(1.001, 1e6),
    user_attempt=st.integers(1, 10_000),
    jitter=JITTER,
)
def test_a_backoff_is_bounded(delay: timedelta, multiplier: float, user_attempt: int, jitter: float) -> None:
    wait = AuthorBackoff(delay, multiplier).delay(user_attempt, jitter)
    assert timedelta(seconds=1) <= wait <= LONGEST_AUTHOR_DELAY
