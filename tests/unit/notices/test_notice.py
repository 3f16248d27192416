# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.notices import Notice, NoticeKind
from airflow_interruptible.notices.notice import parse_time

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=timezone.utc)


def notice(deadline: datetime | None) -> Notice:
    return Notice("ec2", NoticeKind.TERMINATE, deadline, NOON, {"action": "terminate"})


def test_seconds_left_counts_down_to_zero_and_no_further() -> None:
    ends_at_two_minutes = notice(NOON + timedelta(seconds=120))
    assert ends_at_two_minutes.seconds_left(NOON) == 120.0
    assert ends_at_two_minutes.seconds_left(NOON + timedelta(seconds=119)) == 1.0
    assert ends_at_two_minutes.seconds_left(NOON + timedelta(hours=1)) == 0.0


def test_seconds_left_defaults_to_the_present() -> None:
    left = notice(datetime.now(timezone.utc) + timedelta(seconds=60)).seconds_left()
    assert left is not None
    assert 55 < left <= 60


def test_no_deadline_is_said_and_not_guessed() -> None:
    assert notice(None).seconds_left(NOON) is None
    assert str(notice(None)) == "ec2 will terminate this machine at a time not given"


def test_it_survives_a_pickle_and_a_set() -> None:
    one = notice(NOON)
    assert pickle.loads(pickle.dumps(one)) == one
    assert len({one, notice(NOON)}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "2017-09-18T08:22:00Z",
        "2017-09-18T08:22:00",
        "2017-09-18T08:22:00+00:00",
        "2017-09-18T10:22:00+02:00",
        "Mon, 18 Sep 2017 08:22:00 GMT",
        "Mon, 18 Sep 2017 08:22:00 -0000",
    ],
)
def test_every_way_a_vendor_writes_a_time_is_the_same_utc_moment(text: str) -> None:
    moment = parse_time(text)
    assert moment == datetime(2017, 9, 18, 8, 22, tzinfo=timezone.utc)
    assert moment is not None
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "value", [None, "", "x", "soon", 17, {}, [], "99999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00"]
)
def test_what_is_not_a_time_is_none(value: object) -> None:
    assert parse_time(value) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9 ]{1,40}[A-Z+0-9-]*", fullmatch=True))
def test_reading_a_time_never_raises_and_is_always_aware(text: str) -> None:
    moment = parse_time(text)
    assert moment is None or moment.tzinfo is not None
