# SPDX-License-Identifier: Apache-2.0
"""Writes sections into a Markdown file, each between its own markers, so that one measure can be taken again alone.

Pure but for :func:`update`. What stands outside the markers is people's and is never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.section import Section, Table


def render(section: Section, measured: str) -> str:
    """Return a section as Markdown.

    :param measured: when, where and how, as one line.
    """
    parts = [f"## {section.title}", _one_line(section.method), *map(table, section.tables)]
    if section.notes:
        parts.append("\n".join(f"* {_one_line(note)}" for note in section.notes))
    return "\n\n".join([*parts, f"<sub>{measured}</sub>"])


def table(what: Table) -> str:
    """Return a table as Markdown."""
    rows = [what.columns, ["---"] * len(what.columns), *what.rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([f"**{what.title}**\n", *lines] if what.title else lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def between_markers(document: str, name: str, text: str) -> str:
    """Return the document with ``text`` between the markers of ``name``, which are added at its end if need be."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    block = f"{begin}\n{text}\n{end}"
    before, found, rest = document.partition(begin)
    if not found:
        return f"{document.rstrip()}\n\n{block}\n".lstrip()
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the marker {begin} has no {end} after it: put it back where the section ends")
    return before + block + after


def update(path: Path, sections: Mapping[str, str], order: Sequence[str]) -> None:
    """Write sections into a file, new ones in the given order."""
    document = path.read_text() if path.exists() else ""
    for name in order:
        if name in sections:
            document = between_markers(document, name, sections[name])
    path.write_text(document)
