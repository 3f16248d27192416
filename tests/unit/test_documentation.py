# SPDX-License-Identifier: Apache-2.0
"""What the documents say that can be looked up: links, samples, the number of rules."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.rules import DEFAULT_RULES

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("docs/*.md")]
COLUMNS = [
    *(Cause.SPOT_INTERRUPTION, Cause.INFRASTRUCTURE, Cause.NO_CAPACITY),
    *(Cause.APPLICATION, Cause.USER_ACTION, Cause.UNKNOWN),
]

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(document: Path) -> set[str]:
    """The ends of addresses that lead to a heading, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text()):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_document
def test_samples_are_python(document: Path) -> None:
    for sample in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL):
        ast.parse(sample)


def test_the_number_of_rules() -> None:
    for name in ("README.md", "CHANGELOG.md"):
        assert f"{len(DEFAULT_RULES)} rules" in (ROOT / name).read_text()


def test_the_table_of_rules() -> None:
    counted = Counter((rule.id.partition("/")[0], rule.cause) for rule in DEFAULT_RULES)
    surfaces = dict.fromkeys(surface for surface, _ in counted)
    text = (ROOT / "docs" / "classification.md").read_text()
    told = dict(re.findall(r"^\|[^|]*\| `(\w+)/` \|(.*)\|$", text, re.MULTILINE))
    assert {surface: [number.strip() for number in row.split("|")] for surface, row in told.items()} == {
        surface: [str(counted[surface, cause] or "") for cause in COLUMNS] for surface in surfaces
    }
