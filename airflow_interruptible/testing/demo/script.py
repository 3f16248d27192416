# SPDX-License-Identifier: Apache-2.0
"""What the demo does to each task, and on which capacity each attempt has to run because of it.

Data only. The capacities are written down, not worked out: what is shown must not be checked against itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.testing.records import NOT_MAPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND

DAG_ID = "example_interruptible_training"
PLACES = {SPOT: "spot_machines", ON_DEMAND: "LocalExecutor"}
"""The executor that each capacity stands for, as the REST API names it."""

SECONDS = 6.0
"""How long each training lasts."""

LATEST_BLOW = 3.0
"""Seconds of training after which a machine is taken away at the latest: well before the end, on a slow host too."""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL. Kubernetes gives 30 by default, clouds 30 to 120: nothing here needs them."""


class Blow(Enum):
    """How a machine is taken away."""

    WARNED = f"SIGTERM, and {GRACE:g} s until SIGKILL"
    UNWARNED = "SIGKILL of everything, without a word"


@dataclass(frozen=True)
class Part:
    """A task instance of the demo.

    :param user_retries: the author's ``retries`` as the Dag file has them.
    :param blows: attempt -> how its machine is taken away.
    :param bug: the attempt that fails on the author's account.
    :param capacities: what each attempt has to run on, by the rule in the README.
    """

    task_id: str
    user_retries: int
    capacities: tuple[CapacityType, ...]
    map_index: int = NOT_MAPPED
    blows: Mapping[int, Blow] = field(default_factory=lambda: MappingProxyType({}))
    bug: int | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Task id and map index, as Airflow tells task instances of a run apart."""
        return self.task_id, self.map_index

    @property
    def name(self) -> str:
        """The same for people."""
        return self.task_id if self.map_index == NOT_MAPPED else f"{self.task_id}[{self.map_index}]"


SCRIPT = (
    Part("validate", 1, (SPOT, SPOT), map_index=0, blows={1: Blow.WARNED}),
    Part("validate", 1, (SPOT, SPOT, ON_DEMAND), map_index=1, blows={1: Blow.UNWARNED, 2: Blow.WARNED}),
    Part("validate", 1, (SPOT, ON_DEMAND), map_index=2, bug=1),
    Part(
        "train",
        2,
        (SPOT, SPOT, SPOT, SPOT, ON_DEMAND),
        blows={1: Blow.WARNED, 2: Blow.UNWARNED, 4: Blow.WARNED},
        bug=3,
    ),
    Part("release", 2, (ON_DEMAND,)),
)


def conf(script: Iterable[Part]) -> dict[str, Any]:
    """Return what the run has to be triggered with."""
    return {"seconds": SECONDS, "bugs": {part.name: part.bug for part in script if part.bug is not None}}
