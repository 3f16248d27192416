# SPDX-License-Identifier: Apache-2.0
"""Operators that launch remote compute: the job is described first, and the text of the exception counts last.

The table is keyed by the names of classes, so nothing of a provider is imported until such an operator has failed. A
subclass counts as well. The surprising fact: an operator that runs out of its own time stops the job it had launched,
which then looks as if a person had stopped it; so a time-out is judged by itself.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from airflow_interruptible.core.raised import read_exception
from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.remote.failure import Failure, raised_in
from airflow_interruptible.remote.limit import latest
from airflow_interruptible.rules import DEFAULT_SURFACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_interruptible.core.evidence import Evidence
    from airflow_interruptible.remote.answer import Answer

log = logging.getLogger(__name__)

DEADLINE = 5.0
"""How many seconds the looks at one failed job may take in all."""

_AMAZON = "airflow.providers.amazon.aws.operators"
_GOOGLE = "airflow.providers.google.cloud.operators"
_DATABRICKS = "airflow.providers.databricks.operators.databricks"
_HERE = "airflow_interruptible.remote"

OPERATORS: Mapping[str, str] = {
    f"{_AMAZON}.ecs.EcsRunTaskOperator": f"{_HERE}.ecs.describe",
    f"{_AMAZON}.batch.BatchOperator": f"{_HERE}.batch.describe",
    f"{_AMAZON}.glue.GlueJobOperator": f"{_HERE}.glue.describe",
    f"{_AMAZON}.sagemaker.SageMakerTrainingOperator": f"{_HERE}.sagemaker.training",
    f"{_AMAZON}.sagemaker.SageMakerTuningOperator": f"{_HERE}.sagemaker.tuning",
    f"{_AMAZON}.sagemaker.SageMakerProcessingOperator": f"{_HERE}.sagemaker.processing",
    f"{_AMAZON}.sagemaker.SageMakerTransformOperator": f"{_HERE}.sagemaker.transform",
    f"{_AMAZON}.emr.EmrAddStepsOperator": f"{_HERE}.emr.steps",
    f"{_AMAZON}.emr.EmrCreateJobFlowOperator": f"{_HERE}.emr.cluster",
    f"{_AMAZON}.emr.EmrContainerOperator": f"{_HERE}.emr.container",
    f"{_AMAZON}.emr.EmrServerlessStartJobOperator": f"{_HERE}.emr.serverless",
    "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator": f"{_HERE}.kubernetes.describe",
    f"{_GOOGLE}.cloud_batch.CloudBatchSubmitJobOperator": f"{_HERE}.cloud_batch.describe",
    f"{_GOOGLE}.dataproc.DataprocCreateClusterOperator": f"{_HERE}.dataproc.cluster",
    f"{_GOOGLE}.dataproc.DataprocSubmitJobOperator": f"{_HERE}.dataproc.describe",
    f"{_GOOGLE}.vertex_ai.custom_job.CreateCustomJobOperator": f"{_HERE}.vertex.custom_job",
    f"{_GOOGLE}.vertex_ai.custom_job.CustomTrainingJobBaseOperator": f"{_HERE}.vertex.training",
    f"{_DATABRICKS}.DatabricksSubmitRunOperator": f"{_HERE}.databricks.describe",
    f"{_DATABRICKS}.DatabricksRunNowOperator": f"{_HERE}.databricks.describe",
}
"""Operator classes, and what describes their jobs. EksPodOperator, GKEStartPodOperator and ``@task.kubernetes`` are
KubernetesPodOperators."""


def evidence_of(
    task: object, exception: BaseException, context: Mapping[str, Any], *, deadline_seconds: float = DEADLINE
) -> Evidence | None:
    """Return what is known of why ``task`` failed with ``exception``. Never raises.

    :param task: the operator, in the process in which it failed. What it knows already, as ``seen_evidence``, counts.
    :param exception: what its ``execute``, or its resumption after a deferral, raised.
    :param context: Airflow's context of the attempt.
    :param deadline_seconds: how long all looks at the remote job may take together.
    :return: None if this package ended the attempt itself, or if not even the exception can be read.
    """
    if isinstance(exception, Interrupted):
        return None
    try:
        if (seen := getattr(task, "seen_evidence", None)) is not None:
            return cast("Evidence", seen)
        return described(task, exception, context, deadline_seconds=deadline_seconds) or _worded(exception)
    except Exception:
        log.debug("This exception cannot be read as evidence.", exc_info=True)
        return None


def described(
    task: object, exception: BaseException, context: Mapping[str, Any], *, deadline_seconds: float = DEADLINE
) -> Evidence | None:
    """Return what the service that runs the job of ``task`` says of its end, None if it says nothing in time.

    The capacity that a job was asked for, or was seen to have, is a known fact.
    """
    describe = None if _ran_out_of_time(exception) else describing(type(task))
    if describe is None:
        return None

    placed = getattr(task, "launched_capacity", None)

    def look() -> Iterator[Evidence]:
        for answer in describe(Failure(task, exception, context)):
            yield (answer if "capacity" in answer.known or placed is None else answer.on(placed.value)).evidence()

    return latest(look, deadline_seconds)


def describing(operator: type) -> Callable[[Failure], Iterator[Answer]] | None:
    """Return what describes the jobs of an operator class, None if nothing does."""
    names = (f"{base.__module__}.{base.__qualname__}" for base in operator.__mro__)
    path = next((OPERATORS[name] for name in names if name in OPERATORS), None)
    return None if path is None else load(path)


def _ran_out_of_time(exception: BaseException) -> bool:
    from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralTimeout

    return isinstance(exception, (AirflowTaskTimeout, TaskDeferralTimeout))


def _worded(exception: BaseException) -> Evidence:
    kind = f"{type(exception).__module__}.{type(exception).__qualname__}"
    return read_exception(kind, str(exception), raised_in(exception), surfaces=DEFAULT_SURFACES)


def load(path: str) -> Callable[[Any], Iterator[Answer]]:
    """Return the function at a dotted path of this package."""
    module, _, name = path.rpartition(".")
    return cast("Callable[[Any], Iterator[Answer]]", getattr(import_module(module), name))
