# SPDX-License-Identifier: Apache-2.0
"""Side by side with plain Airflow, in one run, on one machine: ``python -m benchmarks [MEASURE ...]``.

To add a measure: a module with ``def measure(say) -> Section``, and a line in :data:`MEASURES`.
"""

from __future__ import annotations

MEASURES = {
    "classification": "benchmarks.classification",
    "watcher": "benchmarks.watcher",
    "state_update": "benchmarks.state_update",
    "parse": "benchmarks.parse",
    "start": "benchmarks.start",
    "pages": "benchmarks.pages",
    "checkpoint": "benchmarks.checkpoint",
    "notice": "benchmarks.notice",
    "late": "benchmarks.late",
    "recovery": "benchmarks.recovery",
    "lost": "benchmarks.lost",
}
"""Name on the command line, and in the markers of README.md -> where it is; the slowest last."""
