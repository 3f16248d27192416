# SPDX-License-Identifier: Apache-2.0
"""From whatever a vendor, an operator or a person hands in to :class:`Evidence`. Rubbish is evidence of nothing.

It must not know any vendor: how payloads are spelled is the surfaces' data. The surprising fact: a bare string is
the value of a field where its surface says so (a Batch ``statusReason``), and mere text everywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.core.context import known
from airflow_interruptible.core.evidence import MAX_TEXT, Evidence, Fact, Identity, field_key
from airflow_interruptible.core.flatten import flatten
from airflow_interruptible.core.literal import MAX_LITERAL, parse_embedded, parse_json
from airflow_interruptible.core.surface import Naming, Surface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_interruptible.core.capacity import CapacityType

Facts = dict[str, tuple[Fact, ...]]

MAX_NAME = 200
"""Service and surface names are cut here: they are quoted in reasons."""

_MAX_WRAPPED = 3
"""How often a string may lead to another service's payload: Airflow to ECS is one step."""


def read(
    service: object, surface: object, payload: object, context: object = None, *, surfaces: Sequence[Surface]
) -> Evidence:
    """Read one observation.

    :param service: who reports it, in any known spelling; an unknown one stays as it is, and no rule knows it.
    :param surface: where it was found: ``statusReason``, ``log line``, ...
    :param payload: the API's answer, an event, a message, an exit code; JSON text is parsed.
    :param context: what is known of the attempt besides, see :mod:`airflow_interruptible.core.context`.
    :param surfaces: how the vendors' payloads are spelled.
    """
    reporter, place = _word(service), _word(surface)
    for _ in range(_MAX_WRAPPED):
        name, spelling = _spelling(reporter, surfaces)
        parsed = parse_json(payload) if isinstance(payload, str) else None
        wrapped = _wrapped(payload, spelling) if isinstance(payload, str) and parsed is None else None
        if wrapped is None:
            break
        reporter, payload = wrapped
    return _evidence(name, spelling, place, payload if parsed is None else parsed, context)


def _wrapped(message: str, spelling: Surface) -> tuple[str, object] | None:
    """Another service's answer that a message carries, and that service."""
    for known_message in spelling.readings:
        found = known_message.service and known_message.pattern.fullmatch(message.strip()[:MAX_LITERAL])
        if found:
            return known_message.service, _groups(found.groupdict())
    return None


def _evidence(name: str, spelling: Surface, surface: str, payload: object, context: object) -> Evidence:
    attempt = known(context)
    text = payload[:MAX_TEXT] if isinstance(payload, str) else ""
    if isinstance(payload, (dict, list, tuple)):
        attempt_in_payload = known(_about_itself(payload))
        ran_on = attempt.ran_on | attempt_in_payload.ran_on
        facts = flatten(payload, spelling, frozenset(machine for _, machine in ran_on))
        for key in spelling.read:
            facts.update(_read_strings(facts.get(key, ()), spelling))
    else:
        ran_on = attempt.ran_on
        facts = _bare(payload, surface, spelling)
    return Evidence(
        service=name,
        surface=surface,
        facts=facts,
        text=text,
        capacity=attempt.capacity or _marked(facts, spelling),
        names=frozenset(identity for naming in spelling.machines for identity in _named(facts, naming)),
        ran_on=ran_on,
        succeeded=attempt.succeeded or any(_has(facts, key, value) for key, value in spelling.success.items()),
    )


def _bare(payload: object, surface: str, spelling: Surface) -> Facts:
    """The facts in a payload that is no object: a message, a code, a number."""
    if not isinstance(payload, (str, int)):
        return {}
    place = spelling.strings.get(surface, spelling.strings.get("*", ""))
    facts: Facts = {field_key(place): (payload,)} if place else {}
    facts.update(_read_strings((payload,), spelling))
    return facts


def _read_strings(values: Sequence[Fact], spelling: Surface) -> Facts:
    facts: Facts = {}
    for value in values:
        for pattern in spelling.readings if isinstance(value, str) else ():
            found = None if pattern.service else pattern.pattern.fullmatch(str(value).strip()[:MAX_TEXT])
            if found:
                facts.update(flatten(_groups(found.groupdict()), spelling, frozenset()))
    return facts


def _groups(groups: Mapping[str, str | None]) -> object:
    """The fields that a documented string holds; or, where it holds a whole payload, that payload."""
    if embedded := groups.get("embedded"):
        return parse_embedded(embedded) or {}
    return {key.replace("__", "."): value for key, value in groups.items() if value is not None}


def _about_itself(payload: object) -> Mapping[str, object]:
    """``this_vm`` and its like: what a watcher adds to a payload about the machine it runs on."""
    if not isinstance(payload, dict):
        return {}
    return {key: value for key, value in payload.items() if isinstance(key, str) and key.startswith("this_")}


def _marked(facts: Facts, spelling: Surface) -> CapacityType | None:
    marks = (
        capacity
        for key, words in spelling.capacity.items()
        for word, capacity in words.items()
        if _has(facts, key, word)
    )
    return next(marks, None)


def _named(facts: Facts, naming: Naming) -> list[Identity]:
    """The machines named; a path of a resource names the one at its end."""
    if naming.where is not None and not _has(facts, *naming.where):
        return []
    named = [str(value).casefold() for value in facts.get(field_key(naming.name), ())]
    return [(naming.kind, name) for whole in named for name in {whole, whole.rpartition("/")[2]}]


def _has(facts: Facts, key: str, word: str) -> bool:
    return any(str(value).casefold() == word.casefold() for value in facts.get(field_key(key), ()))


def _spelling(service: str, surfaces: Sequence[Surface]) -> tuple[str, Surface]:
    for spelling in surfaces:
        for name, others in spelling.services.items():
            if service == name or service in others:
                return name, spelling
    return service, Surface({})


def _word(value: object) -> str:
    return value[:MAX_NAME].strip().casefold() if isinstance(value, str) else ""
