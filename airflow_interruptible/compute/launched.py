# SPDX-License-Identifier: Apache-2.0
"""Operators whose work runs elsewhere, and what says where: their own ``compute``, else airflow.cfg.

On such an operator a ``compute=`` for that kind of work places the work; the Airflow task, which only waits for it,
follows airflow.cfg. Any other ``compute=`` places the Airflow task, as on every operator.

The table is keyed by the names of classes and holds dotted paths, so nothing of a provider is imported. A new kind of
work is one line in it, and one class that places it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute import ON_KUBERNETES, ComputeChoice
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.settings import Settings

_KUBERNETES = "airflow.providers.cncf.kubernetes.operators"


@dataclass(frozen=True)
class Launcher:
    """One kind of work that operators launch.

    :param path: the class that the interruptible form of such an operator inherits from as well, see
        :mod:`airflow_interruptible.operators.pod`.
    :param computes: the names of the computes that can place this work.
    """

    path: str
    computes: frozenset[str]

    @property
    def placing_class(self) -> Any:
        """The class at ``path``."""
        module, _, name = self.path.rpartition(".")
        return getattr(import_module(module), name)


PODS = Launcher("airflow_interruptible.operators.pod.PodLauncher", ON_KUBERNETES)

LAUNCHERS: Mapping[str, Launcher | None] = {
    f"{_KUBERNETES}.pod.KubernetesPodOperator": PODS,
    f"{_KUBERNETES}.job.KubernetesJobOperator": None,
    f"{_KUBERNETES}.spark_kubernetes.SparkKubernetesOperator": None,
}
"""Operator classes and the kind of work that they, and their subclasses, launch. None: they are pod operators by
inheritance, and leave their pods to a controller, which replaces those that are lost by itself."""


def launcher_of(operator_class: type) -> Launcher | None:
    """Return the kind of work that an operator class launches, None if its work is the Airflow task."""
    names = (f"{base.__module__}.{base.__qualname__}" for base in operator_class.__mro__)
    return next((LAUNCHERS[name] for name in names if name in LAUNCHERS), None)


def split(launcher: Launcher | None, argument: object, settings: Settings) -> tuple[object, ComputeChoice | None]:
    """Return what a task's ``compute`` argument says about the Airflow task, and what places the work it launches.

    :param launcher: the kind of work, None if the task launches none.
    :raises ConfigurationError: the argument is neither a name nor a mapping with one.
    """
    if launcher is None:
        return argument, None
    default = _default(launcher, settings)
    own = (default or ComputeChoice()).overridden_by(argument)
    if argument is None or own.name not in launcher.computes:
        return argument, default
    return None, own


def _default(launcher: Launcher, settings: Settings) -> ComputeChoice | None:
    name = settings.pod_compute
    if name == "none" or (not name and settings.compute not in launcher.computes):
        return None
    if name and name not in launcher.computes:
        raise ConfigurationError(
            f"pod_compute in section interruptible of airflow.cfg is {name!r}, which cannot place a pod. Name one of "
            f"{', '.join(sorted(launcher.computes))}, or none to leave pods where their authors send them."
        )
    inherited = settings.compute_options if name in ("", settings.compute) else {}
    return ComputeChoice(name or settings.compute, settings.pod_compute_options or inherited)
