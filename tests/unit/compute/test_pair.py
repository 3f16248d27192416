# SPDX-License-Identifier: Apache-2.0
"""Two names, one for each capacity."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


def test_a_name_for_each_capacity() -> None:
    pair = Pair.from_options("queue", {"spot": "cheap", "on_demand": "safe"}, "...")
    assert (pair.name_of(SPOT), pair.name_of(ON_DEMAND)) == ("cheap", "safe")
    assert (pair.capacity_of("cheap"), pair.capacity_of("safe")) == (SPOT, ON_DEMAND)


@pytest.mark.parametrize("name", [None, "", "other"])
def test_other_names_stand_for_nothing(name: str | None) -> None:
    assert Pair("cheap", "safe").capacity_of(name) is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"spot": "cheap"},
        {"on_demand": "safe"},
        {"spot": "cheap", "on_demand": ""},
        {"spot": "cheap", "on_demand": None},
        {"spot": "cheap", "on_demand": 1},
        {"spot": "same", "on_demand": "same"},
        {"spot": "cheap", "on_demand": "safe", "on-demand": "typo"},
    ],
)
def test_anything_but_two_different_names_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="compute 'queue' needs compute_options with two") as raised:
        Pair.from_options("queue", options, "THE EXAMPLE")
    assert repr(options) in str(raised.value)
    assert str(raised.value).endswith("Write THE EXAMPLE.")


@pytest.mark.parametrize("name", ["d" * 257, "two\nlines", "nul\0", "bell\a"])
def test_a_name_that_airflow_could_not_keep_is_refused(name: str) -> None:
    """PostgreSQL refuses it when the row is written, and with it the transaction of the scheduler."""
    with pytest.raises(ConfigurationError, match="Airflow keeps at most 256 printable ones"):
        Pair.from_options("queue", {"spot": "cheap", "on_demand": name}, "THE EXAMPLE")


def test_the_longest_name_that_airflow_keeps_is_taken() -> None:
    assert Pair.from_options("queue", {"spot": "cheap", "on_demand": "d" * 256}, "THE EXAMPLE").on_demand == "d" * 256
    assert Pair.from_options("executor", {"spot": "a", "on_demand": "d" * 1000}, "THE EXAMPLE", longest=1000)
