# SPDX-License-Identifier: Apache-2.0
"""The interruptible forms of the operators people use most, under the names they know.

``from airflow_interruptible.operators import BashOperator`` is ``interruptible(BashOperator)``; any other operator is
made the same way. Each is loaded, with its provider, when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.providers.standard.operators.python import (
        BranchPythonOperator,
        ExternalPythonOperator,
        PythonOperator,
        PythonVirtualenvOperator,
        ShortCircuitOperator,
    )
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.providers.standard.sensors.bash import BashSensor
    from airflow.providers.standard.sensors.filesystem import FileSensor
    from airflow.providers.standard.sensors.python import PythonSensor

_STANDARD = "airflow.providers.standard"

_HOMES = {
    "BashOperator": f"{_STANDARD}.operators.bash",
    "BashSensor": f"{_STANDARD}.sensors.bash",
    "BranchPythonOperator": f"{_STANDARD}.operators.python",
    "EmptyOperator": f"{_STANDARD}.operators.empty",
    "ExternalPythonOperator": f"{_STANDARD}.operators.python",
    "FileSensor": f"{_STANDARD}.sensors.filesystem",
    "PythonOperator": f"{_STANDARD}.operators.python",
    "PythonSensor": f"{_STANDARD}.sensors.python",
    "PythonVirtualenvOperator": f"{_STANDARD}.operators.python",
    "ShortCircuitOperator": f"{_STANDARD}.operators.python",
    "TriggerDagRunOperator": f"{_STANDARD}.operators.trigger_dagrun",
}

__all__ = [
    "BashOperator",
    "BashSensor",
    "BranchPythonOperator",
    "EmptyOperator",
    "ExternalPythonOperator",
    "FileSensor",
    "PythonOperator",
    "PythonSensor",
    "PythonVirtualenvOperator",
    "ShortCircuitOperator",
    "TriggerDagRunOperator",
]


def __getattr__(name: str) -> Any:
    """Return the interruptible form of an operator.

    :raises ImportError: no operator of that name is ready-made. Of an AttributeError Python would keep the first words.
    """
    home = _HOMES.get(name)
    if home is None and name[:1].isupper():
        raise ImportError(
            f"There is no ready-made {name}. Make it: `from airflow_interruptible import interruptible`, then "
            f"interruptible({name})(task_id=...). Ready-made are {', '.join(sorted(_HOMES))}.",
            name=__name__,
        )
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_interruptible.operators.interruptible import interruptible_class

    return interruptible_class(getattr(import_module(home), name))


def __dir__() -> list[str]:
    """List the operators."""
    return sorted(__all__)
