# SPDX-License-Identifier: Apache-2.0
"""What was observed about how an attempt ended, in no vendor's words.

Facts (what a vendor's API put into a field) are kept apart from text (what somebody wrote), since facts
are the stronger witness. This module must not know any vendor, and decides nothing about the cause.
The surprising fact: one field may hold several values, because payloads hold lists (containers, events).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """

    service: str
    surface: str = ""
    facts: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    text: str = ""
    capacity: CapacityType | None = None
    names: frozenset[Identity] = frozenset()
    ran_on: frozenset[Identity] = frozenset()
    succeeded: bool = False

    def __post_init__(self) -> None:
        facts = {field_key(name): tuple(map(_cut, filter(_sane, values))) for name, values in self.facts.items()}
        object.__setattr__(self, "facts", MappingProxyType(facts))
        object.__setattr__(self, "text", self.text[:MAX_TEXT])

    def values(self, key: str) -> tuple[Fact, ...]:
        """The values of a field already spelled by :func:`field_key`; of ``TEXT``, the text if there is any."""
        if key == TEXT:
            return (self.text,) if self.text else ()
        return self.facts.get(key, ())

    @property
    def another_machine(self) -> Identity | None:
        """A machine that the observation names instead of the attempt's own, or ``None``."""
        for kind in {kind for kind, _ in self.ran_on}:
            named = {identity for identity in self.names if identity[0] == kind}
            if named and not named & self.ran_on:
                return min(named)
        return None


def _sane(value: Fact) -> bool:
    return isinstance(value, (str, bool)) or abs(value) < MAX_INTEGER


def _cut(value: Fact) -> Fact:
    return value[:MAX_TEXT] if isinstance(value, str) else value
