# SPDX-License-Identifier: Apache-2.0
"""What a container wrote, line by line with the time it was written, and the ways the log can be asked for.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kubernetes_api.objects import nanoseconds_stamp, now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class Line(NamedTuple):
    """One line, with its end of line."""

    at: datetime
    text: bytes


@dataclass(frozen=True)
class LogOptions:
    """Which lines are asked for, and how.

    :param since: only what was written then or later.
    :param tail: only so many of the lines that are there.
    """

    follow: bool = False
    timestamps: bool = False
    since: datetime | None = None
    tail: int | None = None

    @staticmethod
    def since_seconds(seconds: float) -> datetime:
        """The moment so many seconds ago."""
        return now() - timedelta(seconds=seconds)


class ContainerLog:
    """The log of one container, which can be read while it is written."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._closed = False
        self._news = asyncio.Event()

    def append(self, text: bytes) -> None:
        """Take one line."""
        self._lines.append(Line(now(), text))
        self._wake()

    def close(self) -> None:
        """Say that nothing will follow."""
        self._closed = True
        self._wake()

    async def read(self, options: LogOptions) -> AsyncIterator[bytes]:
        """The lines asked for; with ``follow``, until the container has ended."""
        first = self._first(options)
        while True:
            news = self._news
            seen = len(self._lines)
            for line in self._lines[first:seen]:
                yield _shown(line, timestamps=options.timestamps)
            first = seen
            if not options.follow or (self._closed and len(self._lines) == seen):
                return
            if len(self._lines) == seen:
                await news.wait()

    def _first(self, options: LogOptions) -> int:
        first = 0 if options.since is None else _count_before(self._lines, options.since)
        return first if options.tail is None else max(first, len(self._lines) - options.tail)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _count_before(lines: Sequence[Line], moment: datetime) -> int:
    return sum(1 for line in lines if line.at < moment)


def _shown(line: Line, *, timestamps: bool) -> bytes:
    return nanoseconds_stamp(line.at).encode() + b" " + line.text if timestamps else line.text
