# SPDX-License-Identifier: Apache-2.0
"""How one vendor's payloads are spelled: data for the reader, beside the rules that use its fields.

A surface says where facts lie, never what they mean. Nothing here runs, except that names are normalised once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_interruptible.core.evidence import field_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.core.capacity import CapacityType


def reading(pattern: str) -> re.Pattern[str]:
    """A documented string that carries facts: the pattern must match the whole of it.

    Named groups become fields; ``__`` in a group's name is a dot. Case matters here, as it is often all that tells a
    code from a word.
    """
    return re.compile(pattern, re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A sentence around something that somebody else, or the sender itself, says.

    The group ``inner`` holds a message, the group ``embedded`` JSON or a Python ``repr``, any other group a field; what
    it holds is read as if it had come alone. Only where that says nothing does the sentence itself count.

    :param pattern: must match the whole string.
    :param service: the service whose words it holds; empty for the sender's own.
    """

    pattern: re.Pattern[str]
    service: str = ""


def wrapper(pattern: str, service: str = "") -> Wrapper:
    """A :class:`Wrapper`; case matters, as in a :func:`reading`."""
    return Wrapper(re.compile(pattern, re.DOTALL), service)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Where a structured log line holds what was said, and who said it.

    :param said: the keys and indexes that lead to what was said.
    :param by: those that lead to who said it.
    :param speakers: a pattern of those who speak for themselves: only their sentences are read.
    """

    said: tuple[str | int, ...]
    by: tuple[str | int, ...]
    speakers: str


@dataclass(frozen=True, slots=True)
class Naming:
    """A field that names the machine which the payload is about.

    :param kind: which kind of machine; only names of one kind are compared.
    :param name: the field.
    :param where: another field and the value it must have for this one to count; ``None`` is always.
    """

    kind: str
    name: str
    where: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Surface:
    """How the payloads of some services are spelled. Field names as the vendor writes them.

    :param services: canonical service names to their other spellings.
    :param envelopes: names of objects or lists that only wrap: ``detail``, ``tasks``. They vanish from field names.
    :param apart: names of objects that are about something else than what holds them: the event beside a pod. They wrap
        only, too.
    :param aliases: other spellings of a field, after the envelopes are gone.
    :param strings: payload surface to the field that a bare string there is the value of; ``*`` for any other.
    :param readings: documented strings that carry facts.
    :param sentences: where structured log lines hold sentences, which are read like messages; the first that counts is.
    :param wrappers: sentences around what somebody else says; the first that matches is unwrapped.
    :param read: fields whose strings are put through ``readings`` too.
    :param history: lists of which only the last item says how it ended.
    :param main: a field and its value in the item of a list that alone counts if it is there: the container called
        ``base``.
    :param machines: fields that name the machine the payload is about.
    :param capacity: field to value to capacity: what a payload itself says the attempt ran on.
    :param success: fields and values which say that the attempt had succeeded.
    """

    services: Mapping[str, tuple[str, ...]]
    envelopes: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    strings: Mapping[str, str] = field(default_factory=dict)
    readings: tuple[re.Pattern[str], ...] = ()
    sentences: tuple[Sentence, ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    read: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    main: tuple[str, str] | None = None
    machines: tuple[Naming, ...] = ()
    capacity: Mapping[str, Mapping[str, CapacityType]] = field(default_factory=dict)
    success: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("envelopes", "apart", "read", "history"):
            object.__setattr__(self, name, tuple(map(field_key, getattr(self, name))))
        object.__setattr__(self, "envelopes", (*self.envelopes, *self.apart))
        object.__setattr__(self, "aliases", {field_key(old): field_key(new) for old, new in self.aliases.items()})
        object.__setattr__(self, "strings", {place.casefold(): name for place, name in self.strings.items()})
