# SPDX-License-Identifier: Apache-2.0
"""From a nested payload to flat fields: bounded in size, depth and time, never raising.

It must not know any vendor: what wraps, and which list is a history, the surface says. Breadth first, so that
whatever a hostile payload adds deep down, the fields near the top are read. The surprising fact: a payload may be about
several things (events, instances, containers), so fields are kept apart by the item of the list that they stand in.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from airflow_interruptible.core.evidence import MAX_INTEGER, Fact, field_key
from airflow_interruptible.core.literal import MAX_DEPTH, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.core.surface import Surface

MAX_NODES = 5_000
MAX_VALUES = 64
"""How many values of one field are kept."""

Path: TypeAlias = tuple[str, ...]

_ENUM_MEMBER = re.compile(r"<?[A-Z]\w{2,60}\.(?P<name>[A-Z][A-Z0-9_]{2,80})(?:: -?\d{1,9}>)?")
"""How Python prints a member of an enumeration, as the vendors' own clients hand them out: ``State.PREEMPTED``, and in
a ``repr`` ``<State.PREEMPTED: 3>``."""
_CONDITION_STATES = ("true", "false", "unknown")
_CONDITION_PLACES = ("conditions", "condition")
_CONDITION_HOLDERS = ("status", "node", "nodeclaim", "machine", "workload", "job")
"""Where a condition is one. A Job's ``podFailurePolicy`` names conditions that no pod may ever have had, and what an
author wrote into an annotation, an argument or a variable may hold any."""


@dataclass(slots=True)
class Part:
    """What a payload says of one thing.

    :param whole: the index of the part that it belongs to; -1 for the payload itself.
    :param facts: its own fields to their values.
    """

    whole: int = -1
    facts: dict[str, list[Fact]] = field(default_factory=dict)


def flatten(payload: object, surface: Surface) -> dict[str, tuple[Fact, ...]]:
    """Every scalar of a payload under its field's name, whichever of its parts says so."""
    facts: dict[str, list[Fact]] = {}
    for part in parts(payload, surface):
        for key, values in part.facts.items():
            facts.setdefault(key, []).extend(values)
    return {key: tuple(values[:MAX_VALUES]) for key, values in facts.items()}


def parts(payload: object, surface: Surface) -> list[Part]:
    """Every scalar of a payload under its field's name, by the things that the payload is about; the whole first.

    :param payload: what ``json.loads`` or a vendor's client gave.
    :param surface: how this vendor spells things.
    """
    found = [Part()]
    queue: deque[tuple[Path, object, int, int]] = deque([((), payload, 0, 0)])
    for _ in range(MAX_NODES):
        if not queue:
            break
        path, node, depth, at = queue.popleft()
        if not isinstance(node, (dict, list, tuple)):
            _add(found[at], surface, path, node)
            continue
        for where, child, own in _children(path, node, surface) if depth < MAX_DEPTH else ():
            if own:
                found.append(Part(at))
            queue.append((where, child, depth + 1, len(found) - 1 if own else at))
    return found


def _add(part: Part, surface: Surface, path: Path, value: object) -> None:
    if (fact := _fact(value)) is not None:
        key = ".".join(path)
        values = part.facts.setdefault(surface.aliases.get(key, key), [])
        if len(values) < MAX_VALUES:
            values.append(fact)


def _children(
    path: Path, node: dict[object, object] | list[object] | tuple[object, ...], surface: Surface
) -> Iterator[tuple[Path, object, bool]]:
    """What an object or a list holds, where, and whether that is something of its own."""
    if not isinstance(node, dict):
        last_only = bool(path) and path[-1] in surface.history
        yield from ((path, item, not path) for item in (node[-1:] if last_only else node))
        return
    if _holds_a_condition(path) and (named := _condition(node)) is not None:
        path = named
    for key, value in node.items():
        if isinstance(key, str):
            where, child = _child_path(path, key, value, surface), _opened(value) if isinstance(value, str) else value
            yield where, child, not where and isinstance(child, dict) and field_key(key) in surface.apart


def _child_path(path: Path, key: str, value: object, surface: Surface) -> Path:
    segments = [field_key(part) for part in (key.split(".") if "/" not in key else [key])]
    while not path and segments and segments[0] in surface.envelopes and (len(segments) > 1 or _wraps(value)):
        segments.pop(0)
    return (*path, *segments)


def _wraps(value: object) -> bool:
    return isinstance(value, (dict, list, tuple)) or (isinstance(value, str) and _opened(value) is not value)


def _opened(value: str) -> object:
    """A string that holds an object, as event buses send it, is that object."""
    parsed = parse_json(value) if value[:1] == "{" else None
    return value if parsed is None else parsed


def _holds_a_condition(path: Path) -> bool:
    return not path or (path[-1] in _CONDITION_PLACES and all(part in _CONDITION_HOLDERS for part in path[:-1]))


def _condition(node: dict[object, object]) -> Path | None:
    """Kubernetes conditions name themselves: ``conditions.DisruptionTarget.True.reason``."""
    kind, status = node.get("type"), str(node.get("status")).casefold()
    if isinstance(kind, str) and status in _CONDITION_STATES:
        return "conditions", field_key(kind), status
    return None


def _fact(value: object) -> Fact | None:
    if isinstance(value, str):
        member = _ENUM_MEMBER.fullmatch(value)
        return member["name"] if member else value
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < MAX_INTEGER):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None
