# SPDX-License-Identifier: Apache-2.0
"""Whether this package is active in every server, in the same version: by the traces that they leave.

See :mod:`airflow_interruptible.server.traces`. The jobs in Airflow's database name every scheduler, Dag processor and
triggerer that is alive, so one that has left no trace is named. API servers have no jobs: that one of them let a task
begin, and that none has left a trace, is what can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_interruptible import __version__
from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.server import traces
from airflow_interruptible.server.traces import API_SERVER, Server, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_interruptible.doctor.deployment import Deployment

_LINK = "docs/doctor.md#who-has-the-package"

_BEGINNING = timedelta(seconds=30)
"""A server that has only just started may not have written to the database yet: it does so every few seconds."""

_WITHOUT: Mapping[str, tuple[str, Severity, str]] = {
    "SchedulerJob": (
        "scheduler",
        Severity.ERROR,
        (
            "Without it a failure that no worker reports is the author's, its next attempt is not moved, and nothing "
            "looks for lost machines."
        ),
    ),
    "DagProcessorJob": (
        "Dag processor",
        Severity.ERROR,
        "Without it no stock operator is adopted, and Dags that name this package have import errors.",
    ),
    "TriggererJob": (
        "triggerer",
        Severity.WARNING,
        "It can do without, as long as nothing that it runs imports this package.",
    ),
}


@dataclass(frozen=True)
class Seen:
    """What the database tells of the servers."""

    alive: Sequence[Server]
    traces: Sequence[Trace]
    begun: datetime | None

    def versions_of(self, component: str) -> dict[str, str]:
        """Return the latest version that each host's servers of a kind have told."""
        theirs = [trace for trace in reversed(self.traces) if trace.component == component]
        return {trace.host: trace.version for trace in theirs}


def check(deployment: Deployment) -> Iterator[Finding]:
    """Read the traces, and hold them against the jobs."""
    settings = deployment.settings
    if settings is not None and not settings.session_events:
        yield from _switched_off(deployment)
        return
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        seen = Seen(traces.alive(session), traces.found(session), traces.last_begun(session))
    yield from missing(seen, datetime.now(timezone.utc))
    yield from differing(seen)


def missing(seen: Seen, now: datetime) -> Iterator[Finding]:
    """Yield the servers that are alive and have left no trace."""
    known = {(trace.component, trace.job) for trace in seen.traces}
    for server in seen.alive:
        named = _WITHOUT.get(server.component)
        young = server.started is None or now - server.started < _BEGINNING
        if named is not None and (server.component, server.job) not in known and not young:
            name, severity, why = named
            yield _absent(name, severity, f"{name} on {server.host} (job {server.job})", why)
    begun = seen.begun
    served = any(trace.component == API_SERVER for trace in seen.traces)
    if begun is not None and now - begun < traces.AGAIN and not served:
        why = (
            f"One let a task begin at {begun:%Y-%m-%d %H:%M} UTC. Without the package a failure that a worker reports "
            "does not move the next attempt, and there are no pages."
        )
        yield _absent("API server", Severity.ERROR, "every API server", why)


def differing(seen: Seen) -> Iterator[Finding]:
    """Yield servers of another version than this process has."""
    names = {kind: named[0] for kind, named in _WITHOUT.items()} | {API_SERVER: "API server"}
    for kind, name in names.items():
        for host, version in sorted(seen.versions_of(kind).items()):
            if version != __version__:
                yield Finding(
                    id="components/version",
                    severity=Severity.WARNING,
                    setting=f"airflow-interruptible in the {name} on {host}",
                    value=version,
                    better=__version__,
                    why="Every part of Airflow should have the version that this one has: each reads what the others "
                    "write. If it has been upgraded, it has not been restarted, or has not been seen since.",
                    link=_LINK,
                )


def _absent(name: str, severity: Severity, where: str, why: str) -> Finding:
    return Finding(
        id=f"components/{name.lower().replace(' ', '-')}",
        severity=severity,
        setting=f"airflow-interruptible in the {name}",
        value=f"no trace of {where}",
        better=f"install {__version__} there, and restart it",
        why=why,
        link=_LINK,
    )


def _switched_off(deployment: Deployment) -> Iterator[Finding]:
    if not any(executor.ours for executor in deployment.executors):
        yield Finding(
            id="components/session-events",
            severity=Severity.ERROR,
            setting="[interruptible] session_events",
            value="False",
            better="True, or one of airflow_interruptible.executors in [core] executor",
            why="Nothing moves attempts: the next attempt of a task runs where the last one did, also on the last one "
            "that its author has. Nor is it known here which servers have the package.",
            link="docs/configuration.md#session_events",
        )
