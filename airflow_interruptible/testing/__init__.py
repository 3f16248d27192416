# SPDX-License-Identifier: Apache-2.0
"""What you need to test your own Dags against interruptions.

The names below are loaded when they are first used, so that a unit test does not pay for the spot lab.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_interruptible.testing.client import AirflowClient
    from airflow_interruptible.testing.endings import history
    from airflow_interruptible.testing.errors import LabError, LabTimeoutError
    from airflow_interruptible.testing.interruption import interrupting
    from airflow_interruptible.testing.lab import SpotLab
    from airflow_interruptible.testing.reclaim import Machine, Reclaimed
    from airflow_interruptible.testing.records import DagRun, Try
    from airflow_interruptible.testing.stack import AirflowStack

__all__ = [
    "AirflowClient",
    "AirflowStack",
    "DagRun",
    "LabError",
    "LabTimeoutError",
    "Machine",
    "Reclaimed",
    "SpotLab",
    "Try",
    "history",
    "interrupting",
]

_HOMES = {
    "history": "airflow_interruptible.testing.endings",
    "interrupting": "airflow_interruptible.testing.interruption",
    "AirflowClient": "airflow_interruptible.testing.client",
    "AirflowStack": "airflow_interruptible.testing.stack",
    "DagRun": "airflow_interruptible.testing.records",
    "LabError": "airflow_interruptible.testing.errors",
    "LabTimeoutError": "airflow_interruptible.testing.errors",
    "Machine": "airflow_interruptible.testing.reclaim",
    "Reclaimed": "airflow_interruptible.testing.reclaim",
    "SpotLab": "airflow_interruptible.testing.lab",
    "Try": "airflow_interruptible.testing.records",
}


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
