# SPDX-License-Identifier: Apache-2.0
"""Who is looked for, and when again; what a proof leads to, and what none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import Classification
from airflow_interruptible.remote.presence import Life, Proof
from airflow_interruptible.server import lookout
from airflow_interruptible.server.overdue import Overdue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

LATE = timedelta(seconds=10)
LIFE = Life("LocalExecutor", {})


def silent_for(seconds: float, name: str = "a") -> Overdue:
    heard = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    return Overdue(name, ("d", name, "r", -1), 1, heard, LIFE)


@dataclass
class World:
    """The database and the places."""

    silent: list[Overdue] = field(default_factory=list)
    proofs: dict[str, Proof] = field(default_factory=dict)
    asked: list[set[str]] = field(default_factory=list)
    expired: list[Any] = field(default_factory=list)
    heard_again: bool = False
    away: tuple[str, ...] = ()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def silent(job_id: int, after: timedelta, but: Collection[Any]) -> Iterator[Overdue]:
        assert (job_id, after) == (7, LATE)
        return (each for each in world.silent if each.row_id not in but)

    def gone(lives: Mapping[Any, Life], trouble: Callable[[str, str], None]) -> dict[Any, Proof]:
        world.asked.append(set(lives))
        for place in world.away:
            trouble(place, "ConnectTimeoutError: the network is away")
        return {name: proof for name, proof in world.proofs.items() if name in lives}

    def expire(attempt: Overdue) -> bool:
        world.expired.append(attempt.row_id)
        return not world.heard_again

    monkeypatch.setattr(lookout.overdue, "silent", silent)
    monkeypatch.setattr(lookout.overdue, "expire", expire)
    monkeypatch.setattr(lookout.presence, "gone", gone)
    monkeypatch.setattr(lookout, "found", lookout.Found())
    return world


@pytest.fixture
def watch() -> lookout.Watch:
    return lookout.Watch(7, LATE)


def test_a_proof_ends_the_attempt_and_its_reason_is_kept(world: World, watch: lookout.Watch) -> None:
    reclaimed = Classification(Cause.SPOT_INTERRUPTION, "ec2/spot", "EC2 reclaimed it")
    world.silent, world.proofs = [silent_for(21)], {"a": Proof("its machine i-0abc", reclaimed)}
    watch.look()
    assert world.expired == ["a"]
    known = lookout.found.known(("d", "a", "r", -1), 1)
    assert known is not None
    assert known.reason == "its machine i-0abc was gone 21 s after the last heartbeat: EC2 reclaimed it"
    assert (known.cause, known.rule) == (Cause.SPOT_INTERRUPTION, "ec2/spot")
    assert lookout.found.known(("d", "a", "r", -1), 2) is None, "of that try only"


def test_an_end_whose_cause_nobody_tells(world: World, watch: lookout.Watch) -> None:
    world.silent, world.proofs = [silent_for(12)], {"a": Proof("its process 42 on h")}
    watch.look()
    known = lookout.found.known(("d", "a", "r", -1), 1)
    assert known is not None
    assert (known.cause, known.reason) == (Cause.UNKNOWN, "its process 42 on h was gone 12 s after the last heartbeat")


def test_without_a_proof_nothing_happens(world: World, watch: lookout.Watch) -> None:
    world.silent = [silent_for(600)]
    watch.look()
    assert world.expired == []


def test_a_place_that_is_away_ends_nothing_and_is_told_once(
    world: World, watch: lookout.Watch, warnings_of: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.away = ("EC2",)
    for _ in range(3):
        world.silent = [silent_for(600, "a")]
        watch.look()
        watch._again.clear()
    assert (len(world.asked), world.expired) == (3, [])
    (warning,) = warnings_of()
    assert warning.startswith("EC2 cannot be asked for attempts whose heartbeat is late: ConnectTimeoutError")
    monkeypatch.setattr(lookout, "_WARNED", timedelta(0))
    watch.look()
    assert len(warnings_of()) == 2, "an hour later"


def test_how_long_it_was_not_heard_of_is_measured(
    world: World, watch: lookout.Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, float, Any]] = []

    def timing(stat: str, dt: timedelta, *, tags: Any) -> None:
        sent.append((stat, round(dt.total_seconds()), tags))

    monkeypatch.setattr(lookout, "stats_of", lambda _: SimpleNamespace(timing=timing))
    world.silent, world.proofs = [silent_for(21)], {"a": Proof("its machine i-0abc")}
    watch.look()
    tags = {"dag_id": "d", "task_id": "a", "cause": "unknown", "capacity": "on-demand"}
    assert sent == [("interruptible.unheard", 21, tags)]


def test_one_that_was_heard_of_meanwhile_is_forgotten(world: World, watch: lookout.Watch) -> None:
    world.silent, world.proofs, world.heard_again = [silent_for(20)], {"a": Proof("its pod p")}, True
    watch.look()
    assert lookout.found.known(("d", "a", "r", -1), 1) is None


def test_the_longer_it_lasts_the_less_often_it_is_looked_for(world: World, watch: lookout.Watch) -> None:
    world.silent = [silent_for(0, "just now"), silent_for(400, "long ago")]
    watch.look()
    watch.look()
    assert world.asked == [{"just now", "long ago"}, {"just now"}], "one has a hundred seconds of rest"


def test_one_that_was_ended_is_left_to_the_sweep(world: World, watch: lookout.Watch) -> None:
    world.silent, world.proofs = [silent_for(20)], {"a": Proof("its pod p")}
    watch.look()
    watch.look()
    assert world.expired == ["a"]


def test_what_is_kept_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "_KEPT", 2)
    found = lookout.Found()
    for name in "abc":
        found.remember(silent_for(20, name), Proof("its pod"))
    assert [found.known(("d", name, "r", -1), 1) is None for name in "abc"] == [True, False, False]
