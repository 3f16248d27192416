# SPDX-License-Identifier: Apache-2.0
"""How the demo talks: a line an event, with the time since the start, and colours only where a person looks."""

from __future__ import annotations

import sys
import time
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


class Tone(str, Enum):
    """What a line is about; the value is its colour, an ANSI code."""

    PLAIN = "0"
    QUIET = "2"
    LOST = "31"
    GOOD = "32"
    TITLE = "1"


class Screen:
    """A place to write lines to.

    :param stream: None is standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._stream.isatty()
        self._started = self._last = time.monotonic()

    @property
    def silent_for(self) -> float:
        """Seconds since the last line."""
        return time.monotonic() - self._last

    @property
    def elapsed(self) -> float:
        """Seconds since the first."""
        return time.monotonic() - self._started

    def event(self, who: str, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Tell what happened to whom, and when."""
        self.line(f"{self.elapsed:6.1f} s  {who:<12} {text}", tone)

    def line(self, text: str = "", tone: Tone = Tone.PLAIN) -> None:
        """Write a line."""
        self._last = time.monotonic()
        coloured = self._colours and tone is not Tone.PLAIN and text
        print(f"\x1b[{tone.value}m{text}\x1b[0m" if coloured else text, file=self._stream, flush=True)
