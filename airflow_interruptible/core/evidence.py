# SPDX-License-Identifier: Apache-2.0
"""What was observed about how an attempt ended, in no vendor's words.

Facts (what a vendor's API put into a field) are kept apart from text (what somebody wrote), since facts
are the stronger witness. This module must not know any vendor, and decides nothing about the cause.
The surprising fact: one field may hold several values, because payloads hold lists (containers, events).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_interruptible.core.capacity import CapacityType

Fact: TypeAlias = str | int | bool
"""One value of one field."""

Identity: TypeAlias = tuple[str, str]
"""A kind of machine and its name: ``("instance", "i-0abc")``. Only names of one kind can disagree."""

TEXT = "(text)"
"""The name under which a rule may test the free text. No payload field can have it: parentheses are dropped."""

MAX_TEXT = 4096
"""How many characters of any string are looked at: vendors' messages are shorter, hostile ones may not be."""

MAX_INTEGER = 2**63
"""Larger integers are no exit code; turning them into text may raise."""

_DROPPED = str.maketrans("", "", "_- ()")


def field_key(name: str) -> str:
    """The one spelling of a field: ``stopped_reason``, ``stoppedReason`` and ``Stopped-Reason`` are the same."""
    return name if name == TEXT else name.translate(_DROPPED).casefold()


@dataclass(frozen=True, slots=True)
class Record:
    """What an observation says of one thing: an event, an instance, a container.

    :param facts: field to values, as in :attr:`Evidence.facts`. What is said of the whole is said of each part.
    :param names: the machines that it is about, empty when it names none.
    """

    facts: Mapping[str, tuple[Fact, ...]]
    names: frozenset[Identity] = frozenset()

    def elsewhere(self, ran_on: frozenset[Identity]) -> Identity | None:
        """A machine that it names instead of one of these, or ``None``."""
        return _elsewhere(self.names, ran_on)

    def names_of(self, kind: str) -> frozenset[Identity]:
        """The machines of one kind that it is about."""
        return frozenset(identity for identity in self.names if identity[0] == kind)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a classification may rest on.

    :param service: who reports it: ``ecs``, ``k8s``, ``airflow``, ... Rules are written per service.
    :param surface: where it was found: ``statusReason``, ``log line``, ... For people; no rule reads it.
    :param facts: structured facts, field to values. Names are spelled by :func:`field_key`.
    :param text: free text, cut to ``MAX_TEXT`` characters. Weaker than any fact.
    :param capacity: what the attempt ran on; ``None`` when nobody knows (the default), which proves nothing.
    :param names: the machines that the observation is about, empty when it names none.
    :param ran_on: the machines that the attempt is known to have run on, empty when unknown.
    :param succeeded: the attempt had already succeeded, so that whatever came later is about something else.
    :param records: the same facts, apart by the thing that they are about: no rule may add up facts of two things.
        One record of all facts unless given.
    :param inside: what a message was wrapped in, which counts if the message itself says nothing.
    """

    service: str
    surface: str = ""
    facts: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    text: str = ""
    capacity: CapacityType | None = None
    names: frozenset[Identity] = frozenset()
    ran_on: frozenset[Identity] = frozenset()
    succeeded: bool = False
    records: tuple[Record, ...] = ()
    inside: Evidence | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text[:MAX_TEXT])
        records = self.records or (Record(self.facts, self.names),)
        records = tuple(Record(_clean(one.facts), one.names) for one in records)
        object.__setattr__(self, "records", records)
        object.__setattr__(self, "facts", MappingProxyType(_merged(records)))

    def values(self, key: str, record: Record | None = None) -> tuple[Fact, ...]:
        """The values of a field already spelled by :func:`field_key`; of ``TEXT``, the text if there is any."""
        if key == TEXT:
            return (self.text,) if self.text else ()
        return (record or self).facts.get(key, ())

    @property
    def another_machine(self) -> Identity | None:
        """A machine that the observation names instead of the attempt's own, or ``None``."""
        return _elsewhere(self.names, self.ran_on)

    def by_machine(self) -> list[Evidence]:
        """The observation once for each machine that it may be about, if nobody knows which of several was ours."""
        if self.names & self.ran_on:
            return [self]
        for kind in sorted({kind for record in self.records for kind, _ in record.names}):
            named = {record.names_of(kind) for record in self.records} - {frozenset()}
            if not frozenset.intersection(*named):
                return [self._only(kind, one) for one in sorted(named, key=sorted)]
        return [self]

    def _only(self, kind: str, machines: frozenset[Identity]) -> Evidence:
        """What is said of these machines, or of none of their kind."""
        records = (one for one in self.records if not one.names_of(kind) or one.names_of(kind) & machines)
        return replace(self, records=tuple(records))


def _elsewhere(names: frozenset[Identity], ran_on: frozenset[Identity]) -> Identity | None:
    for kind in {kind for kind, _ in ran_on}:
        named = {identity for identity in names if identity[0] == kind}
        if named and not named & ran_on:
            return min(named)
    return None


def _clean(facts: Mapping[str, tuple[Fact, ...]]) -> Mapping[str, tuple[Fact, ...]]:
    return {field_key(name): tuple(map(_cut, filter(_sane, values))) for name, values in facts.items()}


def _merged(records: Iterable[Record]) -> dict[str, tuple[Fact, ...]]:
    merged: dict[str, dict[tuple[type, Fact], Fact]] = {}
    for record in records:
        for name, values in record.facts.items():
            merged.setdefault(name, {}).update({(type(value), value): value for value in values})
    return {name: tuple(values.values()) for name, values in merged.items()}


def _sane(value: Fact) -> bool:
    return isinstance(value, (str, bool)) or abs(value) < MAX_INTEGER


def _cut(value: Fact) -> Fact:
    return value[:MAX_TEXT] if isinstance(value, str) else value
