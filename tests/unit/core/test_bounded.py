# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in a document is refused in words, or is within its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core import bounded

if TYPE_CHECKING:
    from collections.abc import Callable

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=300), inner, max_size=60),
    max_leaves=8,
)


@given(anything, st.sampled_from([bounded.text, bounded.name, bounded.time, bounded.attempt_number, bounded.scalars]))
def test_a_value_is_refused_or_small(value: Any, read: Callable[[object], object]) -> None:
    try:
        found = read(value)
    except (TypeError, ValueError):
        return
    assert len(str(found)) <= 50 * 2 * (bounded.NAME + 40)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1970-01-01T00:00:00+00:00", 0.0),
        ("1970-01-01T00:00:01.500+00:00", 1.5),
        ("1970-01-01T02:00:00+02:00", 0.0),
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:00:00", 0.0),
    ],
)
def test_times(written: str, seconds: float) -> None:
    assert bounded.since_1970(written) == seconds
    assert bounded.time(written) == written


@pytest.mark.parametrize("written", ["", "now", "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00:00+23:59"])
def test_what_is_no_time(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        bounded.time(written)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_what_is_no_whole_number(value: object) -> None:
    with pytest.raises(TypeError):
        bounded.whole(value, 0, 5)


def test_numbers_of_attempts() -> None:
    assert bounded.attempt_number("1") == 1
    assert bounded.attempt_number(str(bounded.LAST_ATTEMPT)) == bounded.LAST_ATTEMPT
