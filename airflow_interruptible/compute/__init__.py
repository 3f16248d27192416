# SPDX-License-Identifier: Apache-2.0
"""The computes by name. A new one is one module here and one line in the table.

The table holds dotted paths, so that naming a compute costs nothing until it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from airflow_interruptible.compute.base import Compute, Slot
from airflow_interruptible.exceptions import ConfigurationError

__all__ = ["COMPUTES", "NONE", "ON_KUBERNETES", "Compute", "ComputeChoice", "Slot"]

NONE = "none"
"""The compute that moves nothing."""

COMPUTES: Mapping[str, str] = {
    NONE: "airflow_interruptible.compute.none.NoCompute",
    "queue": "airflow_interruptible.compute.queue.QueueCompute",
    "executor": "airflow_interruptible.compute.executor.ExecutorCompute",
    "kubernetes": "airflow_interruptible.compute.kubernetes.KubernetesCompute",
    "karpenter": "airflow_interruptible.compute.kubernetes.karpenter",
    "eks": "airflow_interruptible.compute.kubernetes.eks",
    "gke": "airflow_interruptible.compute.kubernetes.gke",
    "aks": "airflow_interruptible.compute.kubernetes.aks",
    "ecs": "airflow_interruptible.compute.ecs.EcsCompute",
    "batch": "airflow_interruptible.compute.batch.BatchCompute",
}

ON_KUBERNETES = frozenset({"kubernetes", "karpenter", "eks", "gke", "aks"})
"""The computes that place the pods of KubernetesExecutor."""


@dataclass(frozen=True)
class ComputeChoice:
    """A compute and its options, as settings or a task's ``compute`` argument name them."""

    name: str = NONE
    options: Mapping[str, Any] = field(default_factory=dict)

    def overridden_by(self, argument: object) -> ComputeChoice:
        """Return the choice of a task whose ``compute`` argument is ``argument``.

        :param argument: None to inherit; a name, which keeps the options if it is the same compute; or a mapping with
            ``name`` and the options, such as ``{"name": "queue", "spot": "gpu-spot", "on_demand": "gpu"}``.
        :raises ConfigurationError: it is anything else.
        """
        if argument is None:
            return self
        if isinstance(argument, str):
            return ComputeChoice(argument, self.options if argument == self.name else {})
        if isinstance(argument, Mapping) and isinstance(argument.get("name"), str):
            return ComputeChoice(argument["name"], {key: value for key, value in argument.items() if key != "name"})
        raise ConfigurationError(
            f"compute must be a name or a mapping with a 'name', got {argument!r}. "
            f"Known names: {', '.join(sorted(COMPUTES))}."
        )

    def build(self) -> Compute:
        """Return the compute.

        :raises ConfigurationError: there is none of that name, or its options are wrong.
        """
        path = COMPUTES.get(self.name)
        if path is None:
            raise ConfigurationError(
                f"There is no compute called {self.name!r}. Known names: {', '.join(sorted(COMPUTES))}."
            )
        module, _, name = path.rpartition(".")
        return cast("Compute", getattr(import_module(module), name)(self.options))
