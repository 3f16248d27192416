# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker: training jobs, which are on spot by a field of their request, and nothing of yours to name.

The surprising fact: the operator takes a job that was stopped for one that succeeded, unless it prints its log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched import managed_spot
from airflow_interruptible.launched.aws import answers, error_of
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, numbered, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

_NAME = "TrainingJobName"
_LONGEST_NAME = 63

STATES = {
    "Completed": WorkState.OVER,
    "Failed": WorkState.OVER,
    "Stopped": WorkState.OVER,
    "Stopping": WorkState.ENDING,
}
_AT_WORK = ("Downloading", "Training", "Uploading")
_UNKNOWN = ("ValidationException", "ResourceNotFound")


class TrainingJobs(Work):
    """Training jobs of SageMaker. No options."""

    name = "sagemaker"
    noun = "training job"
    owns = amends = frozenset({"config"})
    ends_falsely = True

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse what contradicts spot in the job's configuration, and a job that is not waited for."""
        managed_spot.check(managed_spot.inside(arguments, "config"))
        if not arguments.get("wait_for_completion", True):
            raise refuse("wait_for_completion", False, "nobody would see that the job was interrupted.", "Wait for it.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the configuration says."""
        return managed_spot.asked(managed_spot.inside(arguments, "config"))

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return a copy of the configuration; the operator changes its own in place."""
        return {"config": managed_spot.placed(arguments["config"], capacity)}

    def identified(self, arguments: Mapping[str, Any], attempt: int) -> dict[str, Any]:
        """Number the name of a later attempt's job, where the operator would not find a free one itself."""
        finds = arguments.get("check_if_job_exists", True) and arguments.get("action_if_job_exists") != "fail"
        config = managed_spot.inside(arguments, "config")
        name = config.get(_NAME)
        if finds or attempt <= 1 or not isinstance(name, str) or is_template(name):
            return {}
        return {"config": {**config, _NAME: numbered(name, attempt, _LONGEST_NAME)}}

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
        told = described(task.hook.conn.describe_training_job, TrainingJobName=job)
        if told is None:
            return GONE
        status = told["TrainingJobStatus"]
        working = WorkState.AT_WORK if told.get("SecondaryStatus") in _AT_WORK else WorkState.WAITING
        capacity = CapacityType.SPOT if told.get(managed_spot.SPOT) else CapacityType.ON_DEMAND
        return Seen(STATES.get(status, working), status == "Completed", capacity, _billed(told))

    def stop(self, task: Any, job: str) -> None:
        """StopTrainingJob: SIGTERM, and two minutes to save what is to be saved."""
        task.hook.conn.stop_training_job(TrainingJobName=job)


def described(call: Callable[..., Mapping[str, Any]], **which: str) -> Mapping[str, Any] | None:
    """Return what SageMaker says of a job, None if there is none of the name.

    :raises Exception: whatever else the client raises.
    """
    try:
        return call(**which)
    except Exception as error:
        if error_of(error)[0] in _UNKNOWN:  # "Requested resource not found."
            return None
        raise


def _billed(told: Mapping[str, Any]) -> dict[str, str]:
    """The service's own account of what spot has saved, once there is one."""
    billed, took = told.get("BillableTimeInSeconds"), told.get("TrainingTimeInSeconds")
    if billed is None or not took:
        return {}
    return {"billable_seconds": str(billed), "training_seconds": str(took), "saved": f"{1 - billed / took:.0%}"}
