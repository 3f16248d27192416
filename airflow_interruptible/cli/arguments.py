# SPDX-License-Identifier: Apache-2.0
"""How the commands read what a person writes. Each raises what argparse shows beside the name of the argument."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import datetime

_INDEXES = range(-1, 2**31)
"""What the column holds; -1 is a task that is not mapped."""


def map_index(text: str) -> int:
    """Read the index of a mapped task instance."""
    try:
        index = int(text)
    except ValueError:
        index = -2
    if index not in _INDEXES:
        raise ArgumentTypeError(f"must be a whole number >= 0, got {text!r}")
    return index


def moment(text: str) -> datetime:
    """Read a time as a person writes it; Python before 3.11 does not know ``Z``."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ArgumentTypeError(f"must be ISO 8601, such as 2026-11-25 or 2026-11-25T18:00:00Z, got {text!r}") from None
