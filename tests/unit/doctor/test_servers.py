# SPDX-License-Identifier: Apache-2.0
"""What the traces of servers and workers tell. How they are left and read is tested where there is a database."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible import __version__
from airflow_interruptible.doctor import components, workers
from airflow_interruptible.doctor.components import Seen
from airflow_interruptible.server.begun import Begun
from airflow_interruptible.server.traces import API_SERVER, Server, Trace

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def server(component: str = "SchedulerJob", job: int = 7, age: timedelta = HOUR) -> Server:
    return Server(component, job, "host-1", NOW - age)


def trace(component: str = "SchedulerJob", job: int | None = 7, version: str = __version__) -> Trace:
    return Trace(component, job, "host-1", version, NOW)


def told(seen: Seen) -> list[tuple[str, str]]:
    return [(each.id, each.severity.value) for each in (*components.missing(seen, NOW), *components.differing(seen))]


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (Seen([], [], None), []),
        (Seen([server()], [trace()], None), []),
        (Seen([server()], [trace(job=6)], None), [("components/scheduler", "error")]),
        (Seen([server(age=timedelta(seconds=5))], [], None), []),
        (Seen([server("DagProcessorJob")], [], None), [("components/dag-processor", "error")]),
        (Seen([server("TriggererJob")], [], None), [("components/triggerer", "warning")]),
        (Seen([server("BackfillJob")], [], None), []),
        (Seen([], [], NOW - HOUR), [("components/api-server", "error")]),
        (Seen([], [trace(API_SERVER, None)], NOW - HOUR), []),
        (Seen([], [], NOW - 48 * HOUR), []),
        (Seen([server()], [trace(version="0.0.1")], None), [("components/version", "warning")]),
    ],
)
def test_servers(seen: Seen, found: list[tuple[str, str]]) -> None:
    assert told(seen) == found


def test_the_one_that_is_missing_is_named() -> None:
    (found,) = components.missing(Seen([server(job=12)], [], None), NOW)
    assert found.value == "no trace of scheduler on host-1 (job 12)"


def test_the_latest_version_of_a_host_counts() -> None:
    seen = Seen([], [trace(job=9), trace(job=8, version="0.0.1")], None)
    assert list(components.differing(seen)) == []


@pytest.mark.parametrize(("executors", "ours", "count"), [(("LocalExecutor",), False, 1), (("Ours",), True, 0)])
def test_without_session_events(
    executors: tuple[str, ...], ours: bool, count: int, deploy: Callable[..., Any], configure: Any
) -> None:
    configure(session_events="False")
    assert len(list(components.check(deploy({}, executors, ours=ours)))) == count


def test_workers() -> None:
    seen = [
        Begun("w1", "cheap", None),
        Begun("w1", "cheap", __version__),
        Begun("w2", "cheap", __version__),
        Begun("w3", None, "0.0.1"),
        Begun("w4", None, ""),
    ]
    found = list(workers.judged(seen))
    assert [(each.id, each.severity.value) for each in found] == [
        ("workers/absent", "error"), ("workers/version", "warning"), ("workers/version", "warning")
    ]  # fmt: skip
    assert found[0].value == "no trace of worker w1, queue cheap"
    assert [each.value for each in found[1:]] == ["0.0.1", "older than 0.2.0"]


def test_where_entries_go_with_a_success_silence_tells_nothing() -> None:
    assert list(workers.judged([Begun("w1", "cheap", None)], silence_tells=False)) == []
