# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md is made from the one table of options."""

from __future__ import annotations

import runpy
from pathlib import Path

REFERENCE = Path(__file__).parent.parent / "docs" / "reference.py"


def test_the_page_is_up_to_date() -> None:
    made = runpy.run_path(str(REFERENCE))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"](), "run `make docs`"
