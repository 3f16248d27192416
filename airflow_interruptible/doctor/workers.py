# SPDX-License-Identifier: Apache-2.0
"""Whether workers have this package, in the same version: by what they wrote into ledgers, or did not write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible import __version__
from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.server.begun import Begun, begun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_interruptible.doctor.deployment import Deployment

_LINK = "docs/doctor.md#who-has-the-package"


def check(deployment: Deployment) -> Iterator[Finding]:
    """Look at the interruptible attempts of the last day."""
    if deployment.option("workers", "state_store_backend"):
        return  # ledgers cannot be read here, see state_store
    from airflow.utils.session import create_session

    kept = not deployment.says_yes("state_store", "clear_on_success", default=False)
    with create_session(scoped=False) as session:
        seen = list(begun(session))
    yield from judged(seen, silence_tells=kept)


def judged(seen: Iterable[Begun], *, silence_tells: bool = True) -> Iterator[Finding]:
    """Yield the hosts whose latest attempt says that the package is not there, or is another.

    :param seen: attempts, the latest first.
    :param silence_tells: whether an attempt without an entry proves anything: not where entries go with a success.
    """
    latest: dict[str, Begun] = {}
    for attempt in seen:
        if attempt.version is not None or silence_tells:
            latest.setdefault(attempt.host, attempt)
    for host, attempt in sorted(latest.items()):
        where = f"worker {host}" + (f", queue {attempt.queue}" if attempt.queue else "")
        if attempt.version is None:
            yield Finding(
                id="workers/absent",
                severity=Severity.ERROR,
                setting="airflow-interruptible in a worker",
                value=f"no trace of {where}",
                better=f"install {__version__} there, and restart it",
                why="An interruptible attempt ran there, and nothing was written down of it. On a worker without the "
                "package nobody hears of a reclaim, and its failures are the author's. A worker that has it could not "
                "reach the task state store, and its log says so.",
                link=_LINK,
            )
        elif attempt.version != __version__:
            yield Finding(
                id="workers/version",
                severity=Severity.WARNING,
                setting=f"airflow-interruptible in {where}",
                value=attempt.version or "older than 0.2.0",
                better=__version__,
                why="Every part of Airflow should have the version that this one has: each reads what the others "
                "write.",
                link=_LINK,
            )
