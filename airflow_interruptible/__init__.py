# SPDX-License-Identifier: Apache-2.0
"""Interruptible tasks for Apache Airflow.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_interruptible.annotate import interruptible
    from airflow_interruptible.callbacks import unless_forgiven, verdict_of
    from airflow_interruptible.checkpoints import checkpoint
    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.exceptions import Interrupted

__version__ = "0.2.0"

__all__ = [
    "CapacityType",
    "Interrupted",
    "__version__",
    "checkpoint",
    "interruptible",
    "unless_forgiven",
    "verdict_of",
]

_HOMES = {
    "CapacityType": "airflow_interruptible.core.capacity",
    "Interrupted": "airflow_interruptible.exceptions",
    "checkpoint": "airflow_interruptible.checkpoints",
    "interruptible": "airflow_interruptible.annotate",
    "unless_forgiven": "airflow_interruptible.callbacks",
    "verdict_of": "airflow_interruptible.callbacks",
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
