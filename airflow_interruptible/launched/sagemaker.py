# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker: training jobs, which are on spot by a field of their request, and nothing of yours to name.

SageMaker restarts an interrupted job by itself until ``MaxWaitTimeInSeconds`` is over, so that is set to what the job
may run and ``spot_timeout`` more: then Airflow decides. Without spot the API refuses the same field.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html

The surprising fact: the operator takes a job that was stopped for one that succeeded, unless it prints its log.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.launched.aws import answers, error_of
from airflow_interruptible.launched.work import GONE, Seen, Work, refuse
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

_SPOT, _STOPPING, _NAME = "EnableManagedSpotTraining", "StoppingCondition", "TrainingJobName"
_LONGEST = 86_400
"""Seconds that SageMaker lets a job run which does not say how long.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html"""

_STATES = {
    "Completed": WorkState.OVER,
    "Failed": WorkState.OVER,
    "Stopped": WorkState.OVER,
    "Stopping": WorkState.ENDING,
}
_AT_WORK = ("Downloading", "Training", "Uploading")


class TrainingJobs(Work):
    """Training jobs of SageMaker. No options."""

    name = "sagemaker"
    noun = "training job"
    owns = frozenset({"config"})
    ends_falsely = True

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse any: there is nothing to choose."""
        if options:
            raise ConfigurationError(
                f"compute 'sagemaker' takes no options, got {dict(options)!r}: managed spot training is a field of the "
                "job itself. Write {}."
            )

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse what contradicts spot in the job's configuration, and a job that is not waited for."""
        config = arguments.get("config")
        config = config if isinstance(config, dict) else {}
        if config.get(_SPOT) is False:
            raise refuse(_SPOT, False, "the job says that it is never on spot.", "Drop it, or say interruptible=False.")
        if kept := _inside(config, "ResourceConfig").get("KeepAlivePeriodInSeconds"):
            why = "SageMaker keeps no warm pool of spot instances."
            raise refuse("KeepAlivePeriodInSeconds", kept, why, "Drop it, or say interruptible=False.")
        if tries := config.get("RetryStrategy"):
            why = "SageMaker would try again by itself, and nobody would count it."
            raise refuse("RetryStrategy", tries, why, "Drop it, and use retries.")
        if not arguments.get("wait_for_completion", True):
            raise refuse("wait_for_completion", False, "nobody would see that the job was interrupted.", "Wait for it.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the configuration says; without the field a job is on demand."""
        config = arguments.get("config")
        value = config.get(_SPOT, False) if isinstance(config, dict) else None
        if not isinstance(value, bool):
            return None
        return CapacityType.SPOT if value else CapacityType.ON_DEMAND

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return a copy of the configuration; the operator changes its own in place."""
        config = deepcopy(dict(arguments["config"]))
        config[_SPOT] = capacity is CapacityType.SPOT
        stopping = dict(_inside(config, _STOPPING))
        if capacity is CapacityType.SPOT:
            longest = int(stopping.setdefault("MaxRuntimeInSeconds", _LONGEST))
            patience = math.ceil(get_settings().spot_timeout.total_seconds())
            stopping["MaxWaitTimeInSeconds"] = int(stopping.get("MaxWaitTimeInSeconds", longest + patience))
        else:
            stopping.pop("MaxWaitTimeInSeconds", None)
        if stopping:
            config[_STOPPING] = stopping
        return {"config": config}

    def hearing(self, task: Any, heard: Callable[[str], None], attached: str | None) -> AbstractContextManager[object]:
        """Hear of the name under which CreateTrainingJob was accepted. The ARN in its answer is in lower case."""
        instead = {"TrainingJobArn": attached, "ResponseMetadata": {"HTTPStatusCode": 200}} if attached else None
        call = "sagemaker.CreateTrainingJob"
        return answers(task.hook.conn, call, lambda _: str(task.config[_NAME]), heard, instead)

    def attach(self, task: Any, job: str) -> None:
        """The operator creates a job in any case, and is answered with this one."""
        task.config = {**task.config, _NAME: job}
        task.check_if_job_exists = False

    def look(self, task: Any, job: str) -> Seen:
        """Return what DescribeTrainingJob says, and what the service bills of the time that the job took."""
        try:
            told = task.hook.conn.describe_training_job(TrainingJobName=job)
        except Exception as error:
            if error_of(error)[0] == "ValidationException":  # "Requested resource not found."
                return GONE
            raise
        status = told["TrainingJobStatus"]
        working = WorkState.AT_WORK if told.get("SecondaryStatus") in _AT_WORK else WorkState.WAITING
        capacity = CapacityType.SPOT if told.get(_SPOT) else CapacityType.ON_DEMAND
        return Seen(_STATES.get(status, working), status == "Completed", capacity, _billed(told))

    def stop(self, task: Any, job: str) -> None:
        """StopTrainingJob: SIGTERM, and two minutes to save what is to be saved."""
        task.hook.conn.stop_training_job(TrainingJobName=job)


def _inside(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _billed(told: Mapping[str, Any]) -> dict[str, str]:
    """The service's own account of what spot has saved, once there is one."""
    billed, took = told.get("BillableTimeInSeconds"), told.get("TrainingTimeInSeconds")
    if billed is None or not took:
        return {}
    return {"billable_seconds": str(billed), "training_seconds": str(took), "saved": f"{1 - billed / took:.0%}"}
