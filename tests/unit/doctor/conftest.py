# SPDX-License-Identifier: Apache-2.0
"""A deployment in words: what airflow.cfg says, and which executors there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_interruptible.doctor.deployment import Deployment, Executor

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_interruptible.doctor.finding import Finding


def deployed(
    options: dict[str, str] | None = None, executors: tuple[str, ...] = ("LocalExecutor",), *, ours: bool = False
) -> Deployment:
    """``deployed({"celery.pool": "threads"}, ("CeleryExecutor",))``."""
    said = {tuple(name.split(".", 1)): value for name, value in (options or {}).items()}
    written: dict[str, set[str]] = {}
    for section, name in said:
        written.setdefault(section, set()).add(name)
    return Deployment(
        lambda section, name: said.get((section, name)),
        tuple(Executor(name, frozenset({name, "BaseExecutor"}), ours=ours) for name in executors),
        {section: frozenset(names) for section, names in written.items()},
    )


@pytest.fixture
def deploy() -> Callable[..., Deployment]:
    return deployed


@pytest.fixture
def ids() -> Callable[..., list[tuple[str, str]]]:
    """What was found, as ids and severities."""

    def of(findings: list[Finding]) -> list[tuple[str, str]]:
        assert all(all(finding.to_json().values()) for finding in findings), "every field says something"
        return [(finding.id, finding.severity.value) for finding in findings]

    return lambda findings: of(list(findings))
