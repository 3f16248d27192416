# SPDX-License-Identifier: Apache-2.0
"""What a check found: which setting, what it says, what would be better, why, and where that is written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(Enum):
    """How bad it is; the worst first."""

    ERROR = "error"
    """A promise does not hold: attempts run where they should not, twice, or never."""

    WARNING = "warning"
    """It holds, but later, less often or less visibly than it could; or it may not hold."""

    INFO = "info"
    """Worth knowing. Nothing needs to be done."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    :param id: what kind of finding it is, ``subject/kind``. It stays the same from version to version.
    :param setting: what to change: ``[section] option``, or a part of the deployment in words.
    :param value: what was found there.
    :param better: what should be there.
    :param link: a page that says so: an address, or one of the pages of this package.
    """

    id: str
    severity: Severity
    setting: str
    value: str
    better: str
    why: str
    link: str

    def to_json(self) -> dict[str, str]:
        """Return the machine form."""
        return {
            "id": self.id,
            "severity": self.severity.value,
            "setting": self.setting,
            "value": self.value,
            "better": self.better,
            "why": self.why,
            "link": self.link,
        }


_ORDER = tuple(Severity)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings in the order in which they are told; what is equally bad stays in the order of the checks."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))


def core_link(option: str) -> str:
    """Return the address of an option of Airflow's own in its reference."""
    page = "https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html"
    return f"{page}#{option.replace('_', '-')}"


def provider_link(provider: str, option: str) -> str:
    """Return the address of an option of a provider in its reference.

    :param provider: as in its address, such as ``cncf-kubernetes``.
    """
    page = f"https://airflow.apache.org/docs/apache-airflow-providers-{provider}/stable/configurations-ref.html"
    return f"{page}#{option.replace('_', '-')}"
