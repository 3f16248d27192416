# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker: tuning jobs, whose trials are training jobs on managed spot, or not, by their own requests.

SageMaker resumes a trial that was interrupted, and counts one that could not be; only the tuning job as a whole is an
attempt. The surprising fact: the operator takes a tuning job that was stopped for one that succeeded.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeHyperParameterTuningJob.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched import managed_spot
from airflow_interruptible.launched.aws import answers
from airflow_interruptible.launched.sagemaker import STATES, described
from airflow_interruptible.launched.work import GONE, Seen, Work, numbered, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from airflow_interruptible.core.capacity import CapacityType

_NAME = "HyperParameterTuningJobName"
_LONGEST_NAME = 32
_ONE, _SEVERAL = "TrainingJobDefinition", "TrainingJobDefinitions"


class TuningJobs(Work):
    """Tuning jobs of SageMaker. No options."""

    name = "sagemaker_tuning"
    noun = "tuning job"
    owns = amends = frozenset({"config"})
    ends_falsely = True

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse what contradicts spot in the request of a trial, and a tuning job that is not waited for."""
        for request in _requests(arguments):
            managed_spot.check(request)
        if not arguments.get("wait_for_completion", True) and not arguments.get("deferrable"):
            why = "nobody would see what became of the job."
            raise refuse("wait_for_completion", False, why, "Wait for it, or set deferrable=True.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the requests say, None if they do not agree."""
        said = {managed_spot.asked(request) for request in _requests(arguments)}
        return said.pop() if len(said) == 1 else None

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return a copy of the configuration in which all trials ask for ``capacity``."""
        config = dict(arguments["config"])
        if _ONE in config:
            config[_ONE] = managed_spot.placed(config[_ONE], capacity)
        if _SEVERAL in config:
            config[_SEVERAL] = [managed_spot.placed(request, capacity) for request in config[_SEVERAL]]
        return {"config": config}

    def identified(self, arguments: Mapping[str, Any], attempt: int) -> dict[str, Any]:
        """Number the name of a later attempt's job: SageMaker never takes a name twice, nor does the operator look."""
        config = managed_spot.inside(arguments, "config")
        name = config.get(_NAME)
        if attempt <= 1 or not isinstance(name, str):
            return {}
        return {"config": {**config, _NAME: numbered(name, attempt, _LONGEST_NAME)}}

    def hearing(self, task: Any, heard: Callable[[str], None], attached: str | None) -> AbstractContextManager[object]:
        """Hear of the name under which the job was accepted."""
        response = {"HyperParameterTuningJobArn": attached, "ResponseMetadata": {"HTTPStatusCode": 200}}
        call, instead = "sagemaker.CreateHyperParameterTuningJob", response if attached else None
        return answers(task.hook.conn, call, lambda _: str(task.config[_NAME]), heard, instead)

    def attach(self, task: Any, job: str) -> None:
        """The operator creates a job in any case, and is answered with this one."""
        task.config = {**task.config, _NAME: job}

    def look(self, task: Any, job: str) -> Seen:
        """Return what DescribeHyperParameterTuningJob says, and how many trials have ended how."""
        told = described(task.hook.conn.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=job)
        if told is None:
            return GONE
        status = told["HyperParameterTuningJobStatus"]
        counts = {f"trials_{name.lower()}": str(n) for name, n in told.get("TrainingJobStatusCounters", {}).items()}
        capacity = self.asked({"config": told}, {})
        return Seen(STATES.get(status, WorkState.AT_WORK), status == "Completed", capacity, counts)

    def stop(self, task: Any, job: str) -> None:
        """StopHyperParameterTuningJob, which stops its trials."""
        task.hook.conn.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=job)


def _requests(arguments: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The requests of the trials."""
    config = managed_spot.inside(arguments, "config")
    several = config.get(_SEVERAL)
    found = [config.get(_ONE), *(several if isinstance(several, list | tuple) else ())]
    return [request for request in found if isinstance(request, dict)]
