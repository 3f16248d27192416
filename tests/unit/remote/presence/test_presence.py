# SPDX-License-Identifier: Apache-2.0
"""What the places say is put together; one that fails or hangs says nothing and costs the others nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from airflow_interruptible.remote import presence
from airflow_interruptible.remote.presence import Proof, by, chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``places(function, ...)``: these are asked, in this order."""

    def install(*functions: Callable[..., Any]) -> None:
        import sys
        from types import ModuleType

        monkeypatch.setattr(presence, "_asked", {})
        monkeypatch.setattr(presence, "PLACES", {f.__name__: f"places_of_this_test.{f.__name__}" for f in functions})
        module = ModuleType("places_of_this_test")
        for function in functions:
            setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, "places_of_this_test", module)

    return install


def host(lives: Mapping[int, Any]) -> Iterator[tuple[int, Proof]]:
    yield 1, Proof("its process")


def test_a_place_is_not_asked_about_what_is_proved(places: Any, life: Any) -> None:
    asked = []

    def cloud(lives: Mapping[int, Any]) -> Iterator[tuple[int, Proof]]:
        asked.append(set(lives))
        yield 2, Proof("its machine")

    places(host, cloud)
    proofs = presence.gone({number: life() for number in (1, 2, 3)})
    assert {number: proof.what for number, proof in proofs.items()} == {1: "its process", 2: "its machine"}
    assert asked == [{2, 3}]


def test_an_error_keeps_what_was_proved_before_it_and_is_told(places: Any, life: Any) -> None:
    told: list[tuple[str, str]] = []

    def refusing(lives: Mapping[int, Any]) -> Iterator[tuple[int, Proof]]:
        yield 2, Proof("its machine")
        raise ConnectionError("credentials wrong")

    places(refusing, host)
    assert set(presence.gone({1: life(), 2: life(), 3: life()}, lambda *why: told.append(why))) == {1, 2}
    assert told == [("refusing", "ConnectionError: credentials wrong")], "and nothing of a place that has answered"


def test_a_place_that_hangs_is_left_behind(places: Any, life: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "SECONDS", 0.2)
    told: list[tuple[str, str]] = []
    let_go = threading.Event()

    def hanging(lives: Mapping[int, Any]) -> Iterator[tuple[int, Proof]]:
        yield 2, Proof("its machine")
        let_go.wait()

    places(hanging, host)
    try:
        assert set(presence.gone({1: life(), 2: life()}, lambda *why: told.append(why))) == {1, 2}
    finally:
        let_go.set()
    assert told == [("hanging", "no answer within 0.2 s")]


def test_a_place_that_still_hangs_is_not_asked_again(places: Any, life: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before its client must have given up, so there is no crowd of threads that wait for it."""
    monkeypatch.setattr(presence, "SECONDS", 0.1)
    asked, told = [], list[str]()
    let_go = threading.Event()

    def hanging(lives: Mapping[int, Any]) -> Iterator[tuple[int, Proof]]:
        asked.append(set(lives))
        let_go.wait()
        yield 1, Proof("its machine")

    def look() -> dict[int, Proof]:
        return presence.gone({1: life()}, lambda _, why: told.append(why))

    places(hanging)
    try:
        assert (look(), look()) == ({}, {})
        assert told == ["no answer within 0.1 s", "it has not answered yet what it was asked before"]
        until(lambda: len(asked) == 1)
        monkeypatch.setattr(presence, "_GIVEN_UP", 0.0)
        assert look() == {}
        until(lambda: len(asked) == 2)
    finally:
        let_go.set()
    until(lambda: not presence._asked)
    assert set(look()) == {1}, "as soon as it answers again"


def test_nobody_is_asked_about_nobody(places: Any) -> None:
    places(host)
    assert presence.gone({}) == {}


def test_every_place_is_there(life: Any) -> None:
    for place, path in presence.PLACES.items():
        assert list(presence._Look(place, path).growing({})) == []


def test_grouping_and_chunks(life: Any) -> None:
    lives = {1: life(a="x", b="1"), 2: life(a="x", b="1"), 3: life(a="y"), 4: life(b="1")}
    assert {group: set(found) for group, found in by(lives, "a", "b").items()} == {("x", "1"): {1, 2}, ("y", ""): {3}}
    assert [list(some) for some in chunks(dict.fromkeys(range(5)), 2)] == [[0, 1], [2, 3], [4]]
