# SPDX-License-Identifier: Apache-2.0
"""What others know about the end of an attempt: the service that ran its job, and the machine it ran on.

Three questions, none of which raises or keeps an attempt waiting for long: :func:`evidence_of` an exception (of which
:func:`described` is the part that asks a service), :func:`here` for where this process runs, :func:`look_back` at an
attempt that vanished. Nothing of a provider is loaded
before it is needed: the tables of operators and of places hold dotted names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_interruptible.remote.hindsight import look_back
    from airflow_interruptible.remote.operators import described, evidence_of
    from airflow_interruptible.remote.whereabouts import here

__all__ = ["described", "evidence_of", "here", "look_back"]

_HOMES = {
    "described": "airflow_interruptible.remote.operators",
    "evidence_of": "airflow_interruptible.remote.operators",
    "here": "airflow_interruptible.remote.whereabouts",
    "look_back": "airflow_interruptible.remote.hindsight",
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
