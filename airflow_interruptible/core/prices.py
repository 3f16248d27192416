# SPDX-License-Identifier: Apache-2.0
"""What spot has saved, estimated from prices that the platform team gives.

Only prices are data here; no vendor is asked, as what a machine costs is a matter of region, contract and hour. On
demand, the hours that an interruption threw away would not have been needed, so only what was kept counts as saved:

>>> prices = read({"default": {"spot": 0.10, "on_demand": 0.30}})
>>> round(estimate(prices, {"m5.large": Hours(spot=10.0, lost=1.0)}).amount, 2)
1.7
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT = "default"
"""The entry that stands for every instance type without one of its own."""


@dataclass(frozen=True)
class Price:
    """What an hour of one machine costs."""

    spot: float
    on_demand: float


@dataclass(frozen=True)
class Hours:
    """Hours on spot, and how many of them ended in an interruption."""

    spot: float = 0.0
    lost: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """What was saved, and the hours on machines that nobody gave a price for."""

    amount: float
    unpriced: float


def read(document: object) -> Mapping[str, Price]:
    """Read prices by instance type.

    :raises ValueError: it is not a mapping of prices; the message says where.
    """
    if isinstance(document, Mapping):
        return {str(name): _price(str(name), value) for name, value in document.items()}
    raise ValueError("it is no object")


def _price(name: str, value: object) -> Price:
    if not isinstance(value, Mapping) or set(value) != {"spot", "on_demand"}:
        raise ValueError(f"{name!r} must hold spot and on_demand")
    for capacity, amount in value.items():
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < math.inf:
            raise ValueError(f"{capacity} of {name!r} must be a number >= 0")
    return Price(float(value["spot"]), float(value["on_demand"]))


def estimate(prices: Mapping[str, Price], hours: Mapping[str, Hours]) -> Estimate:
    """Estimate what the hours on spot have saved, by instance type."""
    amount = unpriced = 0.0
    for instance_type, spent in hours.items():
        price = prices.get(instance_type, prices.get(DEFAULT))
        if price is None:
            unpriced += spent.spot
        else:
            amount += (spent.spot - spent.lost) * price.on_demand - spent.spot * price.spot
    return Estimate(amount, unpriced)
