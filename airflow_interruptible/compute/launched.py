# SPDX-License-Identifier: Apache-2.0
"""Operators whose work runs elsewhere, and what says where: their own ``compute``, else airflow.cfg.

On such an operator a ``compute=`` for that kind of work places the work; the Airflow task, which only waits for it,
follows airflow.cfg. Any other ``compute=`` places the Airflow task, as on every operator.

The table is keyed by the names of classes and holds dotted paths, so nothing of a provider is imported. A new kind of
work is one line in it, and one class that places it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute import ON_KUBERNETES, ComputeChoice
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_interruptible.settings import Settings

_KUBERNETES = "airflow.providers.cncf.kubernetes.operators"
_AMAZON = "airflow.providers.amazon.aws.operators"
_GOOGLE = "airflow.providers.google.cloud.operators"
_DATABRICKS = "airflow.providers.databricks.operators.databricks"
_JOBS = "airflow_interruptible.operators.launched.JobLauncher"


@dataclass(frozen=True)
class Launcher:
    """One kind of work that operators launch.

    :param kind: what ``[interruptible] launched`` calls it.
    :param computes: the names of the computes that can place this work.
    :param path: the class that the interruptible form of such an operator inherits from as well, see
        :mod:`airflow_interruptible.operators.pod` and :mod:`airflow_interruptible.operators.launched`.
    :param work_path: what the class at ``path`` needs to know of the kind, see
        :class:`airflow_interruptible.launched.work.Work`. Empty for pods.
    :param needs_options: whether it can be placed only with options, so that it is not unless somebody names it.
    """

    kind: str
    computes: frozenset[str]
    path: str
    work_path: str = ""
    needs_options: bool = False

    @property
    def placing_class(self) -> Any:
        """The class at ``path``."""
        return _at(self.path)

    @property
    def work(self) -> Any:
        """What is at ``work_path``."""
        return _made(self.work_path)


@cache
def _made(path: str) -> Any:
    return _at(path)()


def _at(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _jobs(kind: str, work: str, *, needs_options: bool = False) -> Launcher:
    return Launcher(kind, frozenset({kind}), _JOBS, f"airflow_interruptible.launched.{work}", needs_options)


PODS = Launcher("pods", ON_KUBERNETES, "airflow_interruptible.operators.pod.PodLauncher", needs_options=True)

LAUNCHERS: Mapping[str, Launcher | None] = {
    f"{_KUBERNETES}.pod.KubernetesPodOperator": PODS,
    f"{_KUBERNETES}.job.KubernetesJobOperator": None,
    f"{_KUBERNETES}.spark_kubernetes.SparkKubernetesOperator": None,
    f"{_AMAZON}.ecs.EcsRunTaskOperator": _jobs("ecs", "ecs.EcsTasks"),
    f"{_AMAZON}.sagemaker.SageMakerTrainingOperator": _jobs("sagemaker", "sagemaker.TrainingJobs"),
    f"{_AMAZON}.sagemaker.SageMakerTuningOperator": _jobs("sagemaker_tuning", "sagemaker_tuning.TuningJobs"),
    f"{_AMAZON}.emr.EmrCreateJobFlowOperator": _jobs("emr", "emr.EmrClusters"),
    f"{_AMAZON}.emr.EmrServerlessStartJobOperator": _jobs("emr_serverless", "emr_serverless.JobRuns"),
    f"{_AMAZON}.glue.GlueJobOperator": _jobs("glue", "glue.GlueRuns"),
    f"{_AMAZON}.batch.BatchOperator": _jobs("batch", "batch.BatchJobs", needs_options=True),
    f"{_GOOGLE}.cloud_batch.CloudBatchSubmitJobOperator": _jobs("cloud_batch", "cloud_batch.CloudBatchJobs"),
    f"{_GOOGLE}.dataproc.DataprocCreateClusterOperator": _jobs("dataproc", "dataproc.DataprocClusters"),
    f"{_GOOGLE}.vertex_ai.custom_job.CreateCustomJobOperator": _jobs("vertex", "vertex.VertexJobs"),
    f"{_GOOGLE}.vertex_ai.custom_job.CustomTrainingJobBaseOperator": _jobs(
        "vertex_training", "vertex_training.VertexTraining"
    ),
    f"{_DATABRICKS}.DatabricksSubmitRunOperator": _jobs("databricks", "databricks.DatabricksRuns"),
}
"""Operator classes and the kind of work that they, and their subclasses, launch. None: they are pod operators by
inheritance, and leave their pods to a controller, which replaces those that are lost by itself."""


@cache
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
    """What airflow.cfg says of a kind of work: for itself, or by naming a compute for it that places tasks as well."""
    name, options = _named(launcher, settings)
    if name == "none":
        return None
    if not name and settings.compute in launcher.computes:
        name = settings.compute
    if not name and not launcher.needs_options:
        name = launcher.kind
    if not name:
        return None
    if name not in launcher.computes:
        raise ConfigurationError(
            f"{'pod_compute' if launcher is PODS else 'launched'} in section interruptible of airflow.cfg is {name!r}, "
            f"which cannot place {'a pod' if launcher is PODS else launcher.kind}. Name one of "
            f"{', '.join(sorted(launcher.computes))}, or none to leave {launcher.kind} where their authors send them."
        )
    return ComputeChoice(name, options or (settings.compute_options if name == settings.compute else {}))


def _named(launcher: Launcher, settings: Settings) -> tuple[str, Mapping[str, Any]]:
    """The compute that airflow.cfg names for a kind of work, empty if it names none, and its options."""
    unknown = set(settings.launched) - {known.kind for known in LAUNCHERS.values() if known is not None}
    if unknown:
        raise _unknown_kind(min(unknown))
    said = settings.launched.get(launcher.kind)
    if said is None:
        return (settings.pod_compute, settings.pod_compute_options) if launcher is PODS else ("", {})
    if isinstance(said, str):
        return said, {}
    if isinstance(said, Mapping):
        options = {key: value for key, value in said.items() if key != "name"}
        return str(said.get("name", "" if launcher is PODS else launcher.kind)), options
    raise ConfigurationError(
        f"launched in section interruptible of airflow.cfg says {said!r} of {launcher.kind}. Write a JSON object, or "
        f'"none" to leave {launcher.kind} where their authors send them.'
    )


def _unknown_kind(name: str) -> ConfigurationError:
    kinds = sorted({known.kind for known in LAUNCHERS.values() if known is not None})
    close = get_close_matches(name, kinds, 1)
    return ConfigurationError(
        f"launched in section interruptible of airflow.cfg speaks of {name!r}, which is no kind of work. "
        + (f"Did you mean {close[0]!r}? " if close else "")
        + f"Known: {', '.join(kinds)}."
    )
