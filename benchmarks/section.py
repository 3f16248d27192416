# SPDX-License-Identifier: Apache-2.0
"""What a measure hands back: words and tables. Values only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

Say = Callable[[str], None]
"""Tells the person who waits what goes on."""


@dataclass(frozen=True)
class Table:
    """A table. ``title`` stands above it, and may be empty."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Section:
    """The result of a measure.

    :param title: its heading.
    :param method: what was done with which settings, so that a reader can judge the numbers. Line breaks in it, and in
        the notes, are those of the source: they do not count.
    :param notes: what the numbers do not say by themselves.
    """

    title: str
    method: str
    tables: Sequence[Table]
    notes: Sequence[str] = field(default_factory=tuple)


def typical(values: Sequence[float], form: str = ".1f") -> str:
    """Say a sample in a table's cell: its median, and how far it spreads."""
    if len(values) == 1:
        return format(values[0], form)
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
