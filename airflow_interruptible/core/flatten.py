# SPDX-License-Identifier: Apache-2.0
"""From a nested payload to flat fields: bounded in size, depth and time, never raising.

It must not know any vendor: what wraps, and which list is a history, the surface says. Breadth first, so that
whatever a hostile payload adds deep down, the fields near the top are read.
"""

from __future__ import annotations

import re
from collections import deque
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

_ENUM_MEMBER = re.compile(r"[A-Z]\w{2,60}\.[A-Z][A-Z0-9_]{2,80}")
"""How Python prints a member of an enumeration, as the vendors' own clients hand them out: ``State.PREEMPTED``."""
_CONDITION_STATES = ("true", "false", "unknown")
_CONDITION_PLACES = ((), ("conditions",), ("condition",))
"""Where a condition is one. A Job's ``podFailurePolicy`` names conditions that no pod may ever have had."""


def flatten(payload: object, surface: Surface, ours: frozenset[str]) -> dict[str, tuple[Fact, ...]]:
    """Every scalar of a payload under its field's name.

    :param payload: what ``json.loads`` or a vendor's client gave.
    :param surface: how this vendor spells things.
    :param ours: names of the machines that the attempt ran on, for :attr:`Surface.addressed`; may be empty.
    """
    facts: dict[str, list[Fact]] = {}
    queue: deque[tuple[Path, object, int]] = deque([((), payload, 0)])
    for _ in range(MAX_NODES):
        if not queue:
            break
        path, node, depth = queue.popleft()
        if isinstance(node, (dict, list, tuple)):
            if depth < MAX_DEPTH:
                queue.extend((*child, depth + 1) for child in _children(path, node, surface, ours))
        elif (fact := _fact(node)) is not None:
            key = ".".join(path)
            facts.setdefault(surface.aliases.get(key, key), []).append(fact)
    return {key: tuple(values[:MAX_VALUES]) for key, values in facts.items()}


def _children(
    path: Path, node: dict[object, object] | list[object] | tuple[object, ...], surface: Surface, ours: frozenset[str]
) -> Iterator[tuple[Path, object]]:
    if not isinstance(node, dict):
        yield from ((path, item) for item in _counting(path, list(node), surface, ours))
        return
    if path[-1:] in _CONDITION_PLACES and (named := _condition(node)) is not None:
        path = named
    for key, value in node.items():
        if isinstance(key, str):
            yield _child_path(path, key, value, surface), value if not isinstance(value, str) else _opened(value)


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


def _condition(node: dict[object, object]) -> Path | None:
    """Kubernetes conditions name themselves: ``conditions.DisruptionTarget.True.reason``."""
    kind, status = node.get("type"), str(node.get("status")).casefold()
    if isinstance(kind, str) and status in _CONDITION_STATES:
        return "conditions", field_key(kind), status
    return None


def _counting(path: Path, items: list[object], surface: Surface, ours: frozenset[str]) -> list[object]:
    """The items of a list that say how it ended for us."""
    name = path[-1] if path else ""
    if name in surface.history:
        return items[-1:]
    if surface.addressed and ours and name in ("", surface.addressed[0]):
        addressed = [item for item in items if _addresses(item, surface.addressed[1], ours)]
        return addressed or items
    return items


def _addresses(item: object, naming: str, ours: frozenset[str]) -> bool:
    if not isinstance(item, dict):
        return False
    named = next((value for key, value in item.items() if isinstance(key, str) and field_key(key) == naming), None)
    return any(str(name).casefold() in ours for name in (named if isinstance(named, list) else [named]))


def _fact(value: object) -> Fact | None:
    if isinstance(value, str):
        return value.partition(".")[2] if _ENUM_MEMBER.fullmatch(value) else value
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < MAX_INTEGER):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None
