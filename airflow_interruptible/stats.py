# SPDX-License-Identifier: Apache-2.0
"""Airflow's own metrics, whatever sends them on: StatsD, Datadog or OpenTelemetry, as ``[metrics]`` says.

The one module that knows where Airflow keeps them. The surprising fact: Airflow 3.3 has two copies, one for tasks and
one for its servers, each set up by the processes it is for. Counting in the other one counts nothing, in silence,
unless a task was forked from a server, as LocalExecutor does.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

log = logging.getLogger(__name__)

IN_TASKS = "airflow.sdk.observability.stats"
IN_SERVERS = "airflow.observability.stats"


class Stats(Protocol):
    """What is used of Airflow's module."""

    def incr(self, stat: str, *, tags: Mapping[str, str]) -> None:
        """Count one."""

    def timing(self, stat: str, dt: timedelta, *, tags: Mapping[str, str]) -> None:
        """Record a duration."""


class _Nowhere:
    def incr(self, stat: str, *, tags: Mapping[str, str]) -> None: ...

    def timing(self, stat: str, dt: timedelta, *, tags: Mapping[str, str]) -> None: ...


@cache
def stats_of(place: str) -> Stats:
    """Return the metrics of this process; where Airflow has none that we know, one that counts nothing.

    :param place: :data:`IN_TASKS` in a task's own process, :data:`IN_SERVERS` in the scheduler and the API server.
    """
    try:
        module: Any = import_module(place)
    except ImportError:
        module = None
    if callable(getattr(module, "incr", None)) and callable(getattr(module, "timing", None)):
        return cast("Stats", module)
    log.warning(
        "Airflow's metrics are not where they were (incr and timing of %s), so interruptions are not counted. Nothing "
        "else changes. Look for a newer airflow-interruptible.",
        place,
    )
    return _Nowhere()
