# SPDX-License-Identifier: Apache-2.0
"""The object that a string holds: JSON, a Python ``repr``, or the readable beginning of one that was cut off.

Operators put a vendor's whole answer into their exception, ``datetime`` calls included, and logs cut it. Bounded in
size and depth, never evaluated, never raising.
"""

from __future__ import annotations

import ast
import json

MAX_INPUT = 262_144
"""Longer strings are not parsed. Kubernetes caps an object at 1.5 MiB, but what a rule reads is a few hundred bytes."""

MAX_LITERAL = 65_536
"""Longer Python reprs are not parsed: Python's own parser is slower than JSON's."""

MAX_DEPTH = 24

_UNPARSABLE = (ValueError, SyntaxError, MemoryError, RecursionError)
_OPENING, _CLOSING, _QUOTES = "{[(", "}])", "'\""


def parse_json(text: str) -> object:
    """The object or list that a string holds, or ``None``."""
    stripped = text.strip()
    if not stripped.startswith(("{", "[")) or len(stripped) > MAX_INPUT:
        return None
    try:
        return json.loads(stripped)
    except _UNPARSABLE:
        return None


def parse_embedded(text: str) -> object:
    """What a message ends with: JSON, a Python ``repr``, or the outermost fields of one that was cut; or ``None``."""
    stripped = text.strip()[:MAX_LITERAL]
    if (parsed := parse_json(stripped)) is not None:
        return parsed
    if not stripped.startswith(("{", "[")) or _depth(stripped) > MAX_DEPTH:
        return None
    try:
        return _literal(ast.parse(stripped, mode="eval").body, 0)
    except _UNPARSABLE:
        return _outermost(stripped)


def _depth(text: str) -> int:
    """How deep brackets nest at most, those inside strings included: an upper bound is all that is needed."""
    depth = deepest = 0
    for char in text:
        depth += (char in _OPENING) - (char in _CLOSING)
        deepest = max(deepest, depth)
    return deepest


def _literal(node: ast.expr, depth: int) -> object:
    """The value of a literal; what is no literal, a call for example, is ``None``."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand, depth + 1)
        return -value if isinstance(value, (int, float)) else None
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(item, depth + 1) for item in node.elts]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _literal(value, depth + 1) for key, value in pairs if isinstance(key, ast.Constant)}
    return None


def _outermost(text: str) -> dict[str, object] | None:
    """The strings of the outermost object, to where it closes or was cut: what follows may be anybody's."""
    fields: dict[str, object] = {}
    depth, key, last, at = 0, "", "", 0
    while at < len(text):
        char = text[at]
        if char in _QUOTES:
            end = _string_end(text, at)
            if end < 0:
                break
            last, at = text[at + 1 : end], end
            if depth == 1 and key:
                fields[key] = last
        elif depth == 1 and char == ":":
            key = last
        elif depth == 1 and char == ",":
            key = ""
        else:
            depth += (char in _OPENING) - (char in _CLOSING)
            if depth <= 0:
                break
        at += 1
    return fields or None


def _string_end(text: str, start: int) -> int:
    """Where the string that opens at ``start`` closes, or -1."""
    at = start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == text[start]:
            return at
        at += 1
    return -1
