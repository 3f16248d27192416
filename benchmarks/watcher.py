# SPDX-License-Identifier: Apache-2.0
"""What it costs a task to listen for the notice that its machine goes: CPU time and requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_interruptible.notices import Watcher, default_sources
from airflow_interruptible.testing.metadata import FakeAzureMetadata, FakeEC2Metadata, FakeGCEMetadata
from benchmarks.section import Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.section import Say

SECONDS = 30
_NOWHERE = "http://127.0.0.1:9"
_SILENT = {
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": _NOWHERE,
    "GCE_METADATA_HOST": "127.0.0.1:9",
    "AIRFLOW_INTERRUPTIBLE_AZURE_METADATA_ENDPOINT": _NOWHERE,
}
_CLOUDS: dict[str, Any] = {
    "EC2": FakeEC2Metadata,
    "Compute Engine": FakeGCEMetadata,
    "Azure": FakeAzureMetadata,
}

_METHOD = f"""
A watcher with its default sources, against the fake metadata services of `airflow_interruptible.testing`, for {SECONDS}
s each without a notice. The services run in the same process, so their CPU time is part of what is shown.
"""


def measure(say: Say) -> Section:
    """Listen to each cloud, and to nobody."""
    rows = [["nobody answers", *_listen(_SILENT), "-", "-"]]
    for name, fake in _CLOUDS.items():
        with fake() as cloud:
            cpu, alive = _listen({**_SILENT, **cloud.env})
            requests = len(cloud.requests)
        say(f"{name}: {requests} requests")
        rows.append([name, cpu, alive, str(requests), f"{requests * 60 / SECONDS:.0f}"])
    columns = ["Cloud", "CPU, ms", "still listening", "requests, the probes included", "a minute"]
    return Section("Listening for notices", _METHOD, [Table(columns, rows)])


def _listen(environment: Mapping[str, str]) -> tuple[str, str]:
    watcher = Watcher(default_sources(environment), list[object]().append)
    started = time.process_time()
    watcher.start()
    time.sleep(SECONDS)
    cpu, alive = time.process_time() - started, watcher.active
    watcher.stop()
    watcher.join(5)
    return f"{1000 * cpu:.0f}", "yes" if alive else "no"
