# SPDX-License-Identifier: Apache-2.0
"""What the tests of notices share: a closed port, and watching in a thread."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_interruptible.notices import Notice, Source


@pytest.fixture
def closed_port() -> int:
    """A loopback port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """The event that ends a watch; a test that forgets to is ended by the timer."""
    event = threading.Event()
    timer = threading.Timer(120, event.set)
    timer.start()
    yield event
    timer.cancel()
    event.set()


@pytest.fixture
def watch(stop: threading.Event) -> Iterator[Callable[[Source], list[Notice | None]]]:
    """Run ``source.wait`` in a thread; the list receives what it returns."""
    running: list[tuple[Source, threading.Thread]] = []

    def begin(source: Source) -> list[Notice | None]:
        returned: list[Notice | None] = []
        thread = threading.Thread(target=lambda: returned.append(source.wait(stop)), daemon=True)
        running.append((source, thread))
        thread.start()
        return returned

    yield begin
    stop.set()
    for source, thread in running:
        source.cancel()
        thread.join(60)
        assert not thread.is_alive()
