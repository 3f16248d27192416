# SPDX-License-Identifier: Apache-2.0
"""One line of a rule table: which facts, observed together, mean which cause, and where the vendor says so.

This module must not know any vendor or any order between rules.
Matching is linear in the length of a value: equality, membership, or one pattern over the whole of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from airflow_interruptible.core.evidence import TEXT, Evidence, Fact, Record, field_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.core.cause import Cause

_PARTING = str.maketrans("", "", "_- ")

_MAX_DIGITS = 9
"""Longer numbers are in no range that a rule asks for."""

Test: TypeAlias = "str | int | bool | range | tuple[str | int, ...] | re.Pattern[str]"
"""What a value is held against. Neither case nor what parts the words of a code matters, and ``137`` equals ``"137"``:
vendors and their clients write both."""

Observation: TypeAlias = tuple[str, Fact]
"""A field, as the vendor spells it, and the value of it that passed a test."""

Condition: TypeAlias = tuple[tuple[str, ...], Test]
"""Fields that may hold the value, and the test that one of the values must pass."""


def says(pattern: str) -> re.Pattern[str]:
    """A vendor's documented message. It must be the *whole* value, so words inside a sentence never decide.

    Write ``.*`` at the end where the vendor adds details. No quantifier may stand inside a repeated group.
    """
    return re.compile(pattern, re.DOTALL | re.IGNORECASE)


def words(text: str) -> tuple[str, ...]:
    """The codes of one enumeration, any of which passes. They hold no spaces, so spaces part them."""
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Rule:
    """If every test passes, the attempt ended by this cause.

    :param id: ``surface/slug``, stable: it is stored with the attempt and shown to people.
    :param when: fields to tests, all of which must pass. ``"a | b"`` means either field.
    :param cause: what it means. ``Cause.UNKNOWN`` says that this fact, though it looks like something, proves nothing.
    :param source: the vendor's page or source file where the fact stands.
    :param services: the values of :attr:`Evidence.service` that the rule is about.
    :param note: what happened, in one line for the person on call.
    :param needs: the second witness: the attempt must be known to have run on this capacity.
    """

    id: str
    when: Mapping[str, Test] = field(repr=False)
    cause: Cause
    source: str
    services: frozenset[str]
    note: str
    needs: CapacityType | None = None
    conditions: tuple[Condition, ...] = field(init=False, repr=False, compare=False)
    spellings: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.when:
            raise ValueError(f"rule {self.id} has no test, so it would match everything. Give it at least one field.")
        object.__setattr__(self, "conditions", tuple((_fields(names), _folded(t)) for names, t in self.when.items()))
        spelled = (name.strip() for names in self.when for name in names.split("|"))
        object.__setattr__(self, "spellings", {field_key(name): name for name in spelled})

    @property
    def fields(self) -> Iterable[str]:
        """The fields that this rule reads, spelled by :func:`field_key`."""
        return self.spellings.keys()

    def reads(self, known: AbstractSet[str]) -> bool:
        """Whether it can match where these fields are known."""
        return all(not known.isdisjoint(names) for names, _ in self.conditions)

    def match(self, evidence: Evidence, *, with_text: bool) -> tuple[Observation, ...] | None:
        """What passed the tests, one observation a test; ``None`` if one failed. ``needs`` is not looked at.

        All of it is said of one thing: a message of one event never adds up with the reason of another.
        """
        found = (self._match(evidence, record, with_text) for record in evidence.records)
        return next((observed for observed in found if observed is not None), None)

    def _match(self, evidence: Evidence, record: Record, with_text: bool) -> tuple[Observation, ...] | None:
        observed = []
        for names, test in self.conditions:
            passing = _passing(names, test, evidence, record, with_text)
            if passing is None:
                return None
            observed.append((self.spellings[passing[0]], passing[1]))
        return tuple(observed)

    def witnessed(self, evidence: Evidence) -> bool:
        """Whether the capacity that the rule needs is known."""
        return self.needs is None or self.needs is evidence.capacity


@dataclass(frozen=True, slots=True)
class Table:
    """A table of rules that share a prefix of their ids, their services and, unless one names another, their source.

    Calling it makes one line: ``rule = Table("ecs", ("ecs", "fargate"), "https://...")``, then ``rule("oom", ...)``.
    """

    prefix: str
    services: tuple[str, ...]
    source: str

    def __call__(
        self,
        slug: str,
        when: Mapping[str, Test],
        cause: Cause,
        note: str,
        *,
        source: str = "",
        needs: CapacityType | None = None,
    ) -> Rule:
        """Make one rule; its columns are those of :class:`Rule`."""
        name, services = f"{self.prefix}/{slug}", frozenset(self.services)
        return Rule(name, when, cause, source or self.source, services, note, needs)


def _fields(names: str) -> tuple[str, ...]:
    return tuple(field_key(name.strip()) for name in names.split("|"))


def _folded(test: Test) -> Test:
    if isinstance(test, tuple):
        return tuple(_word(value) for value in test)
    return _word(test) if isinstance(test, (str, int)) else test


def _word(value: Fact) -> str:
    """The one spelling of a code: ``SpotInterruption`` and ``SPOT_INTERRUPTION`` are the same."""
    word = str(value).strip().casefold()
    return word.translate(_PARTING) if word[-1:].isalpha() else word


def _passing(
    names: tuple[str, ...], test: Test, evidence: Evidence, record: Record, with_text: bool
) -> Observation | None:
    for name in names:
        if with_text or name != TEXT:
            for value in evidence.values(name, record):
                if _is(value, test):
                    return name, value
    return None


def _is(value: Fact, test: Test) -> bool:
    if isinstance(test, re.Pattern):
        return isinstance(value, str) and test.fullmatch(value.strip()) is not None
    word = _word(value)
    if isinstance(test, range):
        return word.isascii() and word.isdigit() and len(word) <= _MAX_DIGITS and int(word) in test
    return word in test if isinstance(test, tuple) else word == test
