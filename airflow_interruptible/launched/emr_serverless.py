# SPDX-License-Identifier: Apache-2.0
"""Amazon EMR Serverless: job runs on flexible capacity, which is its spare one, or on standard capacity.

EMR replaces flexible workers that are taken back, and keeps the driver on standard capacity; so a job run gets slower
before it fails. It takes a boto3 that knows the field ``flexExecution``, of 1.44 or later.
https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/jobs.html
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched.aws import answers, error_of
from airflow_interruptible.launched.work import GONE, Seen, Work, numbered, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

_FLEX, _TOKEN = "flexExecution", "client_request_token"
_LONGEST_TOKEN = 64
_STATES = {
    "RUNNING": WorkState.AT_WORK,
    "CANCELLING": WorkState.ENDING,
    "SUCCESS": WorkState.OVER,
    "FAILED": WorkState.OVER,
    "CANCELLED": WorkState.OVER,
}
"""Any other is before the start. https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_JobRun.html"""


class JobRuns(Work):
    """Job runs of EMR Serverless. No options."""

    name = "emr_serverless"
    noun = "EMR Serverless job run"
    owns = frozenset({"config", _TOKEN})
    amends = owns

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse standard capacity, retries of EMR's own, and a job run that is not waited for."""
        config = _config(arguments)
        if (flex := config.get(_FLEX)) is not None and _is_flex(flex) is False:
            raise refuse(_FLEX, flex, "the job run says that it is never on spare capacity.", "Drop it.")
        policy = config.get("retryPolicy")
        tries = policy.get("maxAttempts") if isinstance(policy, dict) else None
        if isinstance(tries, int) and tries > 1:
            why = "EMR would try again by itself, and nobody would count it."
            raise refuse("retryPolicy", policy, why, "Drop it, and use retries.")
        if not arguments.get("wait_for_completion", True):
            raise refuse("wait_for_completion", False, "nobody would see what became of it.", "Wait for it.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the configuration says; without the field it is standard capacity."""
        return _capacity_of(_config(arguments))

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return a copy of the configuration; the operator changes its own in place."""
        config = deepcopy(dict(_config(arguments)))
        config[_FLEX] = {"enabled": capacity is CapacityType.SPOT}
        return {"config": config}

    def identified(self, arguments: Mapping[str, Any], attempt: int) -> dict[str, Any]:
        """Number a token that the author gave: the same one would return the run of an earlier attempt."""
        token = arguments.get(_TOKEN)
        if attempt <= 1 or not isinstance(token, str) or not token:
            return {}
        return {_TOKEN: numbered(token, attempt, _LONGEST_TOKEN)}

    def refuses(self, error: BaseException) -> bool:
        """Whether this boto3 does not know the field."""
        return type(error).__name__ == "ParamValidationError" and _FLEX in str(error)

    def hearing(self, task: Any, heard: Callable[[str], None], attached: str | None) -> AbstractContextManager[object]:
        """Hear of the id that StartJobRun answers with."""
        instead = {"jobRunId": attached, "ResponseMetadata": {"HTTPStatusCode": 200}} if attached else None
        call = "emr-serverless.StartJobRun"
        return answers(task.hook.conn, call, lambda answer: answer.get("jobRunId"), heard, instead)

    def attach(self, task: Any, job: str) -> None:
        """The operator starts a run in any case, and is answered with this one."""
        task.job_id = job

    def look(self, task: Any, job: str) -> Seen:
        """Return what GetJobRun says, and the hours of processors that it bills."""
        try:
            told = task.hook.conn.get_job_run(applicationId=task.application_id, jobRunId=job)["jobRun"]
        except Exception as error:
            if error_of(error)[0] == "ResourceNotFoundException":
                return GONE
            raise
        state = _STATES.get(told["state"], WorkState.WAITING)
        capacity = _capacity_of(told) if told.get(_FLEX) else None
        billed = told.get("billedResourceUtilization", {}).get("vCPUHour")
        used = {} if billed is None else {"vcpu_hours": f"{billed:g}"}
        return Seen(state, told["state"] == "SUCCESS", capacity, used)

    def stop(self, task: Any, job: str) -> None:
        """CancelJobRun."""
        task.hook.conn.cancel_job_run(applicationId=task.application_id, jobRunId=job)


def _config(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    config = arguments.get("config")
    return config if isinstance(config, dict) else {}


def _is_flex(flex: object) -> bool | None:
    enabled = flex.get("enabled", False) if isinstance(flex, dict) else None
    return enabled if isinstance(enabled, bool) else None


def _capacity_of(holder: Mapping[str, Any]) -> CapacityType | None:
    enabled = _is_flex(holder.get(_FLEX, {}))
    return None if enabled is None else CapacityType.SPOT if enabled else CapacityType.ON_DEMAND
