# SPDX-License-Identifier: Apache-2.0
"""The two names that most computes need: one for spot, one for on-demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Pair:
    """One name for each capacity."""

    spot: str
    on_demand: str

    @classmethod
    def from_options(cls, compute: str, options: Mapping[str, Any], example: str, *, longest: int = 256) -> Pair:
        """Read ``{"spot": ..., "on_demand": ...}``.

        :param longest: how many characters Airflow's column takes. 256: that of a queue.
        :raises ConfigurationError: a name is missing, empty, unknown, or both are the same, or Airflow could not keep
            one: its transaction would fail with it.
        """
        names = {key: options.get(key) for key in ("spot", "on_demand")}
        usable = all(isinstance(name, str) and name for name in names.values()) and set(options) == set(names)
        if not usable or names["spot"] == names["on_demand"]:
            raise ConfigurationError(
                f"compute {compute!r} needs compute_options with two different names, got {dict(options)!r}: without "
                f"both, an attempt could not be moved. Write {example}."
            )
        for name in map(str, names.values()):
            if len(name) > longest or not name.isprintable():
                raise ConfigurationError(
                    f"compute {compute!r} names {name[:60]!r}, which has {len(name)} characters: Airflow keeps at most "
                    f"{longest} printable ones. Write a shorter name in compute_options."
                )
        return cls(spot=str(names["spot"]), on_demand=str(names["on_demand"]))

    def name_of(self, capacity: CapacityType) -> str:
        """Return the name that stands for ``capacity``."""
        return self.spot if capacity is CapacityType.SPOT else self.on_demand

    def capacity_of(self, name: str | None) -> CapacityType | None:
        """Return the capacity that ``name`` stands for, None if it is neither."""
        return {self.spot: CapacityType.SPOT, self.on_demand: CapacityType.ON_DEMAND}.get(name or "")
