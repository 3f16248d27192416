# SPDX-License-Identifier: Apache-2.0
"""Versions: of Airflow and of the providers that are installed here, against what this package's metadata asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from airflow_interruptible.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    from airflow_interruptible.doctor.deployment import Deployment

_PACKAGE = "airflow-interruptible"
_POLICY = "airflow_interruptible.policies.cluster"
_LINK = "docs/install.md"

Installed = Callable[[str], str | None]
"""Returns the version of a distribution, None if it is not installed."""


def check(deployment: Deployment) -> Iterator[Finding]:  # noqa: ARG001 - every check has it
    """Compare what is installed in this process with what the package asks for."""
    yield from unmet(metadata.requires(_PACKAGE) or (), _installed)
    yield from unregistered({entry.value for entry in metadata.entry_points(group="airflow.policy")})


def unmet(requirements: Iterable[str], installed: Installed) -> Iterator[Finding]:
    """Yield what is installed in a version that this package does not ask for. What is not installed is not needed.

    :param requirements: as in a distribution's metadata; those with an extra are of use to some only.
    """
    from packaging.requirements import Requirement

    for requirement in map(Requirement, requirements):
        version = installed(requirement.name)
        if version is None or requirement.specifier.contains(version, prereleases=True):
            continue
        needed = requirement.marker is None
        yield Finding(
            id="versions/airflow" if needed else "versions/provider",
            severity=Severity.ERROR if needed else Severity.WARNING,
            setting=requirement.name,
            value=version,
            better=str(requirement.specifier),
            why="This package has been verified with these versions. What it needs of others may not be there: then "
            "attempts stay where Airflow puts them, or a failure is judged without evidence.",
            link=_LINK,
        )


def unregistered(policies: Iterable[str]) -> Iterator[Finding]:
    """Yield that Airflow is not told of this package.

    :param policies: the modules that installed distributions name as cluster policies.
    """
    if _POLICY not in set(policies):
        yield Finding(
            id="versions/not-registered",
            severity=Severity.ERROR,
            setting="entry point airflow.policy",
            value="not there",
            better=_POLICY,
            why="Airflow learns of this package by its entry points, which an installation brings and a mere copy of "
            "its modules does not. Without them no Dag is adopted and no attempt is placed.",
            link=_LINK,
        )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
