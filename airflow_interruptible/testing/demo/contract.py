# SPDX-License-Identifier: Apache-2.0
"""Whether a run of the demo kept what the package promises.

Pure: what was done and what was seen go in, faults come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.testing.demo.script import Part

Attempt = Mapping[str, Any]
"""An attempt as ``airflow interruptible attempts --output json`` prints it."""


@dataclass(frozen=True)
class Seen:
    """What came of one task instance.

    :param attempts: oldest first.
    :param tries: the capacity of each try by the executor in Airflow's own REST API, oldest first; None if by neither.
    """

    attempts: Sequence[Attempt]
    tries: Sequence[CapacityType | None]


def faults(script: Iterable[Part], run_state: str, seen: Mapping[str, Seen]) -> list[str]:
    """Return what broke the contract, a sentence each; empty if nothing did.

    :param run_state: how the run ended.
    :param seen: what came of each part, by its name.
    """
    run = [] if run_state == "success" else [f"the run ended as {run_state}"]
    return run + [f"{part.name}: {fault}" for part in script for fault in _of_part(part, seen[part.name])]


def promises(script: Sequence[Part]) -> list[str]:
    """Say in plain words what :func:`faults` has found kept."""
    interruptions = sum(len(part.blows) for part in script)
    bugs = sum(part.bug is not None for part in script)
    moved = [part.name for part in script if part.capacities[0] is not part.capacities[-1]]
    return [
        f"{interruptions} machines were taken away: that cost no user retry, and no such attempt ended as success.",
        f"{bugs} bugs of the author's cost one user retry each.",
        f"{', '.join(moved)} had the last attempt on demand, by another executor, as Airflow's own REST API shows.",
        "The run ended as success.",
    ]


def _of_part(part: Part, seen: Seen) -> Iterator[str]:
    attempts = {attempt["attempt"]: attempt for attempt in seen.attempts}
    for number in part.blows:
        yield from _of_interruption(number, attempts.get(number))
    left = part.user_retries - (part.bug is not None)
    last = seen.attempts[-1] if seen.attempts else {}
    if last.get("state") != "success":
        yield f"its last attempt ended as {last.get('state')}, not as success"
    if last.get("user_retries_left") != left:
        yield f"{last.get('user_retries_left')} of {part.user_retries} user retries are left, {left} should be"
    yield from _of_capacities(part, seen)


def _of_interruption(number: int, attempt: Attempt | None) -> Iterator[str]:
    if attempt is None:
        yield f"attempt {number}, which was interrupted, is not in the history"
        return
    if attempt["state"] == "success":
        yield f"attempt {number} was interrupted and yet ended as success"
    if attempt["charge"] != "system":
        yield f"attempt {number} was interrupted and charged to {attempt['charge']}, not to system"


def _of_capacities(part: Part, seen: Seen) -> Iterator[str]:
    due = _words(part.capacities)
    ran = ", ".join(str(attempt["capacity"]) for attempt in seen.attempts)
    if ran != due:
        yield f"its attempts ran on {ran}; due was {due}"
    shown = _words(seen.tries)
    if shown != due:
        yield f"the REST API shows its tries on {shown}; due was {due}"


def _words(capacities: Iterable[CapacityType | None]) -> str:
    return ", ".join("nothing" if capacity is None else capacity.value for capacity in capacities)
