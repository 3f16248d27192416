# SPDX-License-Identifier: Apache-2.0
"""What spot has saved."""

from __future__ import annotations

import pytest

from airflow_interruptible.core.prices import Hours, Price, estimate, read

PRICES = read({"default": {"spot": 0.1, "on_demand": 0.3}, "big": {"spot": 1, "on_demand": 2}})


def test_a_type_has_its_own_price_or_the_default() -> None:
    assert {"default": Price(0.1, 0.3), "big": Price(1.0, 2.0)} == PRICES
    found = estimate(PRICES, {"big": Hours(spot=10), "small": Hours(spot=10)})
    assert (round(found.amount, 6), found.unpriced) == (12.0, 0.0)


def test_what_an_interruption_threw_away_was_paid_for_nothing() -> None:
    assert round(estimate(PRICES, {"big": Hours(spot=10, lost=6)}).amount, 6) == -2.0


def test_hours_without_a_price_are_told() -> None:
    prices = {"big": Price(1, 2)}
    found = estimate(prices, {"big": Hours(spot=1), "small": Hours(spot=5)})
    assert (found.amount, found.unpriced) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (None, "it is no object"),
        ([], "it is no object"),
        ({"default": 1}, "'default' must hold spot and on_demand"),
        ({"default": {"spot": 1}}, "'default' must hold spot and on_demand"),
        ({"m5": {"spot": 1, "on_demand": -1}}, "on_demand of 'm5' must be a number >= 0"),
        ({"m5": {"spot": True, "on_demand": 1}}, "spot of 'm5' must be a number >= 0"),
        ({"m5": {"spot": float("nan"), "on_demand": 1}}, "spot of 'm5' must be a number >= 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(document: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read(document)
