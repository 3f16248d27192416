# SPDX-License-Identifier: Apache-2.0
"""Asking every check, all at once, and waiting for none of them for long.

A check that raises, or has not answered in time, is a finding itself: what it looks after has not been looked at. One
that hangs is left behind in a thread that keeps no process alive; what it had found by then counts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_interruptible.doctor import CHECKS
from airflow_interruptible.doctor.finding import Finding, Severity, worst_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.doctor.deployment import Deployment

SECONDS = 30.0
"""How long all checks together may take: the slowest asks a cloud that does not answer, with its own time-outs."""

_LINK = "docs/doctor.md#what-it-could-not-look-at"


@dataclass
class _Look:
    """One check under way."""

    subject: str
    path: str
    findings: list[Finding] = field(default_factory=list)
    error: BaseException | None = None
    done: bool = False

    def run(self, deployment: Deployment) -> None:
        try:
            for finding in import_module(self.path).check(deployment):
                self.findings.append(finding)
        except BaseException as error:  # noqa: BLE001 - in a thread of its own; it is told as a finding
            self.error = error
        self.done = True

    def told(self, seconds: float) -> list[Finding]:
        """Return what it found, and whether it could not look to the end."""
        found = list(self.findings)
        if self.done and self.error is None:
            return found
        why = f"{type(self.error).__name__}: {self.error}" if self.error else f"no answer within {seconds:g} s"
        return [*found, _unseen(self.subject, why)]


def examine(deployment: Deployment, checks: Mapping[str, str] = CHECKS, seconds: float = SECONDS) -> list[Finding]:
    """Return what all checks found, worst first. Never raises.

    :param checks: modules by what they look after.
    :param seconds: how long all of them together may take.
    """
    looks = [_Look(subject, path) for subject, path in checks.items()]
    threads = [threading.Thread(target=look.run, args=(deployment,), name=look.path, daemon=True) for look in looks]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return worst_first(finding for look in looks for finding in look.told(seconds))


def _unseen(subject: str, why: str) -> Finding:
    return Finding(
        id="doctor/not-looked-at",
        severity=Severity.WARNING,
        setting=subject,
        value=why[:300],
        better="an answer",
        why="This could not be looked at, so nothing is known of it.",
        link=_LINK,
    )
