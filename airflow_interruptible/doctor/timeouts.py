# SPDX-License-Identifier: Apache-2.0
"""Time-outs: how soon a lost attempt is noticed, and what is taken for lost although it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.doctor.finding import Finding, Severity, core_link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_interruptible.doctor.deployment import Deployment
    from airflow_interruptible.settings import Settings

_RESTART = 60.0
"""Seconds that a restart of the API server may take, during which no heartbeat is heard."""

_LATE = "docs/lost-machines.md"


def check(deployment: Deployment) -> Iterator[Finding]:
    """Look at the time-outs of heartbeats and queues."""
    settings = deployment.settings
    interval = deployment.number("workers", "min_heartbeat_interval", 5)
    timeout = deployment.number("scheduler", "task_instance_heartbeat_timeout", 300)
    if timeout < _RESTART:
        yield Finding(
            id="time-outs/heartbeat-short",
            severity=Severity.WARNING,
            setting="[scheduler] task_instance_heartbeat_timeout",
            value=f"{timeout:g}",
            better=f"{_RESTART:g} or more; lost machines are noticed sooner by [interruptible] late_heartbeat",
            why="An API server that is away for that long, as for a restart, ends every task that runs, and an attempt "
            "on spot that is ended like this counts as interrupted.",
            link=core_link("task_instance_heartbeat_timeout"),
        )
    if settings is not None:
        yield from _lookout(settings.late_heartbeat.total_seconds(), interval, timeout)
        yield from _queued(deployment, settings)


def _lookout(late: float, interval: float, timeout: float) -> Iterator[Finding]:
    if late == 0:
        yield _late_heartbeat(
            "off",
            late,
            f"{2 * interval:g}",
            f"A machine that dies without a word is noticed after {timeout:g} s. With it, the scheduler looks where "
            "the attempt ran, and its successor starts within seconds.",
        )
    elif late < interval:
        yield _late_heartbeat(
            "below-interval",
            late,
            f"{2 * interval:g}",
            f"A supervisor owes a heartbeat every {interval:g} s ([workers] min_heartbeat_interval), so every attempt "
            "is late all the time, and all of them are looked for in every look.",
        )
    elif late >= timeout:
        yield _late_heartbeat(
            "above-time-out",
            late,
            f"{2 * interval:g}",
            f"Airflow itself gives an attempt up after {timeout:g} s, so nothing is ever looked for.",
        )


def _late_heartbeat(kind: str, late: float, better: str, why: str) -> Finding:
    setting = "[interruptible] late_heartbeat"
    return Finding(f"time-outs/late-heartbeat-{kind}", Severity.WARNING, setting, f"{late:g}", better, why, _LATE)


def _queued(deployment: Deployment, settings: Settings) -> Iterator[Finding]:
    queued = deployment.number("scheduler", "task_queued_timeout", 600)
    spot = settings.spot_timeout.total_seconds()
    if deployment.has_executor("KubernetesExecutor") and settings.session_events and queued <= spot:
        yield Finding(
            id="time-outs/queued-below-spot-timeout",
            severity=Severity.WARNING,
            setting="[scheduler] task_queued_timeout",
            value=f"{queued:g}",
            better=f"more than {spot:g}, the value of [interruptible] spot_timeout",
            why="Airflow takes a pod that waits for a spot node out of the queue before spot_timeout has given it up, "
            "so the want of capacity is never told as such.",
            link=core_link("task_queued_timeout"),
        )
