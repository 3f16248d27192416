# SPDX-License-Identifier: Apache-2.0
"""From whatever a vendor, an operator or a person hands in to :class:`Evidence`. Rubbish is evidence of nothing.

It must not know any vendor: how payloads are spelled is the surfaces' data. The surprising fact: a bare string is
the value of a field where its surface says so (a Batch ``statusReason``), and mere text everywhere else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_interruptible.core.context import Known, known
from airflow_interruptible.core.evidence import MAX_TEXT, Evidence, Fact, Identity, Record, field_key
from airflow_interruptible.core.flatten import flatten, parts
from airflow_interruptible.core.literal import MAX_LITERAL, parse_embedded, parse_json
from airflow_interruptible.core.surface import Naming, Surface

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_interruptible.core.capacity import CapacityType

Facts = dict[str, tuple[Fact, ...]]

MAX_NAME = 200
"""Service and surface names are cut here: they are quoted in reasons."""

_MAX_WRAPPED = 4
"""How often a message may be wrapped: a log line around the scheduler's words around an executor's is three."""


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
    reporter, place, attempt = _word(service), _word(surface), known(context)
    evidence, wrapped = _one(reporter, place, payload, attempt, surfaces)
    for _ in range(_MAX_WRAPPED):
        if wrapped is None:
            break
        within, wrapped = _one(wrapped[0] or reporter, place, wrapped[1], attempt, surfaces)
        evidence = replace(within, inside=evidence)
    return evidence


def _one(
    reporter: str, place: str, payload: object, attempt: Known, surfaces: Sequence[Surface]
) -> tuple[Evidence, tuple[str, object] | None]:
    """What a payload says by itself, and what it wraps."""
    name, spelling = _spelling(reporter, surfaces)
    if isinstance(payload, str) and (parsed := parse_json(payload)) is not None:
        payload = parsed
    wrapped = _wrapped(payload, spelling) if isinstance(payload, str) else _sentence(payload, spelling)
    return _evidence(name, spelling, place, payload, attempt), wrapped


def _sentence(line: object, spelling: Surface) -> tuple[str, object] | None:
    """What a structured log line says, if who says it speaks for itself."""
    for sentence in spelling.sentences:
        said, speaker = _at(line, sentence.said), _at(line, sentence.by)
        speaks = isinstance(speaker, str) and re.fullmatch(sentence.speakers, speaker[:MAX_TEXT]) is not None
        if speaks and isinstance(said, str):
            return "", said
    return None


def _at(node: object, path: Sequence[str | int]) -> object:
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and node:
            node = node[step]
        else:
            return None
    return node


def _wrapped(message: str, spelling: Surface) -> tuple[str, object] | None:
    """What a message wraps, and the service whose it is; empty if it is the sender's own."""
    for wrapper in spelling.wrappers:
        if found := wrapper.pattern.fullmatch(message.strip()[:MAX_LITERAL]):
            groups = found.groupdict()
            return wrapper.service, groups["inner"] if "inner" in groups else _groups(groups)
    return None


def _evidence(name: str, spelling: Surface, surface: str, payload: object, attempt: Known) -> Evidence:
    text = payload[:MAX_TEXT] if isinstance(payload, str) else ""
    if isinstance(payload, (dict, list, tuple)):
        ran_on = attempt.ran_on | known(_about_itself(payload)).ran_on
        records = _records(payload, spelling)
    else:
        ran_on = attempt.ran_on
        facts = _bare(payload, surface, spelling)
        records = [Record(facts, _names(facts, spelling, facts))]
    ran_on |= _subject(records[0], ran_on)
    said = [record for record in records if record.facts] or records
    ours = [record for record in said if record.elsewhere(ran_on) is None] or said
    going = [record for record in ours if not _over(record, spelling)] or ours
    return Evidence(
        service=name,
        surface=surface,
        records=tuple(going),
        text=text,
        capacity=attempt.capacity or _marked(going, spelling),
        names=frozenset(identity for record in going for identity in record.names),
        ran_on=ran_on,
        succeeded=attempt.succeeded or any(_over(record, spelling) for record in going),
    )


def _records(payload: object, spelling: Surface) -> list[Record]:
    """What a payload says of each thing that it is about. What it says of the whole, it says of the parts."""
    records: list[Record] = []
    for part in parts(payload, spelling):
        facts: Facts = {key: tuple(values) for key, values in part.facts.items()}
        for key in spelling.read:
            facts = {**_read_strings(facts.get(key, ()), spelling), **facts}
        own, whole = facts, records[part.whole] if part.whole >= 0 else Record({})
        facts = {**whole.facts, **own}
        names = _names(facts, spelling, own)
        kinds = {kind for kind, _ in names}
        records.append(Record(facts, names | {identity for identity in whole.names if identity[0] not in kinds}))
    return _of_the_main_one(records, spelling.main)


def _of_the_main_one(records: list[Record], main: tuple[str, str] | None) -> list[Record]:
    """Without what is said of the others, if the one that matters is among them."""
    if main is None or not any(_has(record.facts, *main) for record in records):
        return records
    return [record for record in records if main[0] not in record.facts or _has(record.facts, *main)]


def _subject(whole: Record, ran_on: frozenset[Identity]) -> frozenset[Identity]:
    """The machine that a payload is about, where nobody else said which it was: its parts may be about others."""
    known_kinds = {kind for kind, _ in ran_on}
    return frozenset(identity for identity in whole.names if identity[0] not in known_kinds)


def _bare(payload: object, surface: str, spelling: Surface) -> Facts:
    """The facts in a payload that is no object: a message, a code, a number."""
    if not isinstance(payload, (str, int)):
        return {}
    place = spelling.strings.get(surface, spelling.strings.get("*", ""))
    facts: Facts = flatten({place: payload}, spelling) if place else {}
    facts.update(_read_strings((payload,), spelling))
    return facts


def _read_strings(values: Sequence[Fact], spelling: Surface) -> Facts:
    facts: Facts = {}
    for value in values:
        for pattern in spelling.readings if isinstance(value, str) else ():
            if found := pattern.fullmatch(str(value).strip()[:MAX_TEXT]):
                facts.update(flatten(_groups(found.groupdict()), spelling))
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


def _marked(records: Sequence[Record], spelling: Surface) -> CapacityType | None:
    marks = (
        capacity
        for record in records
        for key, words in spelling.capacity.items()
        for word, capacity in words.items()
        if _has(record.facts, key, word)
    )
    return next(marks, None)


def _over(record: Record, spelling: Surface) -> bool:
    return any(_has(record.facts, key, value) for key, value in spelling.success.items())


def _names(facts: Facts, spelling: Surface, own: Facts) -> frozenset[Identity]:
    """The machines that its own fields name."""
    namings = (naming for naming in spelling.machines if field_key(naming.name) in own)
    return frozenset(identity for naming in namings for identity in _named(facts, naming))


def _named(facts: Facts, naming: Naming) -> list[Identity]:
    """The machines named; a path of a resource names the one at its end."""
    if naming.where is not None and not _has(facts, *naming.where):
        return []
    named = [str(value).casefold() for value in facts.get(field_key(naming.name), ())]
    return [(naming.kind, name) for whole in named for name in {whole, whole.rpartition("/")[2]}]


def _has(facts: Mapping[str, tuple[Fact, ...]], key: str, word: str) -> bool:
    return any(str(value).casefold() == word.casefold() for value in facts.get(field_key(key), ()))


def _spelling(service: str, surfaces: Sequence[Surface]) -> tuple[str, Surface]:
    for spelling in surfaces:
        for name, others in spelling.services.items():
            if service == name or service in others:
                return name, spelling
    return service, Surface({})


def _word(value: object) -> str:
    return value[:MAX_NAME].strip().casefold() if isinstance(value, str) else ""
