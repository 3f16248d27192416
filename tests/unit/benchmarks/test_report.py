# SPDX-License-Identifier: Apache-2.0
"""Sections become Markdown between their own markers, and nothing else of the file changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import report
from benchmarks.section import Section, Table, typical

if TYPE_CHECKING:
    from pathlib import Path

SECTION = Section(
    title="Parsing",
    method="""
    Two lines of the source,
    one paragraph.
    """,
    tables=[Table(["Dag", "s"], [["plain", "1.2"], ["a | b", "3.4"]], "Seconds")],
    notes=["mind\n    this"],
)


def test_a_section_is_a_heading_its_method_its_tables_and_its_notes() -> None:
    assert report.render(SECTION, "2 cores") == (
        "## Parsing\n\n"
        "Two lines of the source, one paragraph.\n\n"
        "**Seconds**\n\n| Dag | s |\n| --- | --- |\n| plain | 1.2 |\n| a \\| b | 3.4 |\n\n"
        "* mind this\n\n"
        "<sub>2 cores</sub>"
    )


def test_a_table_without_a_title_has_none() -> None:
    assert report.table(Table(["a"], [["1"]])) == "| a |\n| --- |\n| 1 |"


def test_a_section_replaces_what_was_between_its_markers() -> None:
    document = "# Head\n\n<!-- parse: begin -->\nold\n<!-- parse: end -->\n\nTail\n"
    assert report.between_markers(document, "parse", "new") == document.replace("old", "new")


def test_a_new_section_goes_to_the_end() -> None:
    document = report.between_markers("# Head\n", "parse", "text")
    assert document == "# Head\n\n<!-- parse: begin -->\ntext\n<!-- parse: end -->\n"
    assert report.between_markers(document, "parse", "text") == document


def test_a_marker_that_is_never_closed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"<!-- parse: begin --> has no <!-- parse: end -->"):
        report.between_markers("<!-- parse: begin -->\nprecious words", "parse", "text")


def test_only_the_measures_taken_are_written(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    report.update(readme, {"b": "B1", "a": "A1"}, ["a", "b"])
    report.update(readme, {"b": "B2"}, ["a", "b"])
    text = readme.read_text()
    assert text.index("A1") < text.index("B2")
    assert "B1" not in text


@pytest.mark.parametrize(
    ("values", "said"), [([1.25], "1.2"), ([3.0, 1.0, 2.0], "2.0 (1.0 to 3.0)"), ([1.0, 2.0], "1.5 (1.0 to 2.0)")]
)
def test_a_sample_is_said_by_its_median_and_its_spread(values: list[float], said: str) -> None:
    assert typical(values) == said
