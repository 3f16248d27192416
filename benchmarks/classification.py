# SPDX-License-Identifier: Apache-2.0
"""What it costs to tell a reclaim from a bug: 10,000 payloads, as a worker would judge them, one by one."""

from __future__ import annotations

import json
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.classification import classify
from airflow_interruptible.core.payload import read
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES
from benchmarks.section import Section, Table, typical

if TYPE_CHECKING:
    from benchmarks.section import Say

PAYLOADS = 10_000
ROUNDS = 3
_GOLDEN = Path(__file__).parent.parent / "tests" / "golden" / "evidence"
_HOSTILE = "Host EC2 (instance " * 50_000

_METHOD = f"""
The golden payloads of the tests, read and classified until {PAYLOADS:,} have been, in one process; seconds of CPU time,
{ROUNDS} rounds (lowest to highest). Hostile is one text of a million characters that begins as a vendor's message does.
"""


def measure(say: Say) -> Section:
    """Classify the golden payloads over and over."""
    golden = [json.loads(path.read_text()) for path in sorted(_GOLDEN.rglob("*.json"))]
    ordinary = [_seconds(islice(cycle(golden), PAYLOADS)) for _ in range(ROUNDS)]
    say(f"{PAYLOADS:,} payloads: {typical(ordinary)} s")
    hostile = [_seconds([{"service": "ecs", "surface": "stoppedReason", "payload": _HOSTILE}]) for _ in range(ROUNDS)]
    rows = [
        [
            f"{PAYLOADS:,} payloads",
            typical(ordinary, ".2f"),
            typical([1e6 * each / PAYLOADS for each in ordinary], ".0f"),
        ],
        ["one hostile text of 1 MB", typical(hostile, ".4f"), typical([1e6 * each for each in hostile], ".0f")],
    ]
    table = Table(["Classified", "CPU, s", "CPU a payload, µs"], rows)
    return Section("Classification", _METHOD, [table], [f"{len(DEFAULT_RULES)} rules, {len(golden)} golden payloads."])


def _seconds(entries: Any) -> float:
    started = time.process_time()
    for entry in entries:
        evidence = read(
            entry["service"], entry["surface"], entry["payload"], entry.get("context"), surfaces=DEFAULT_SURFACES
        )
        classify(evidence, DEFAULT_RULES)
    return time.process_time() - started
