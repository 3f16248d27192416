# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Batch: the jobs that CloudBatchSubmitJobOperator submits, placed by their provisioning model.

https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs#ProvisioningModel

The surprising fact: the author names the job, and a name can be taken once only, so the second attempt of an operator
as it is would always fail. And the operator waits for ever on a job that somebody has cancelled.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched.fields import copied, inner, objects, value, write
from airflow_interruptible.launched.hooks import around, is_missing
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, numbered, refuse
from airflow_interruptible.remote.google import SECONDS, as_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

_LONGEST_NAME = 63
"""https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs/create#query-parameters"""

_MODELS = {CapacityType.SPOT: "SPOT", CapacityType.ON_DEMAND: "STANDARD"}
_NUMBERS = {0: None, 1: "STANDARD", 2: "SPOT", 3: "PREEMPTIBLE"}
_CAPACITIES = {
    "SPOT": CapacityType.SPOT,
    "PREEMPTIBLE": CapacityType.SPOT,
    "STANDARD": CapacityType.ON_DEMAND,
}
_RETRY_TASK = ("RETRY_TASK", 1)

_STATES = {
    "RUNNING": WorkState.AT_WORK,
    "SUCCEEDED": WorkState.OVER,
    "FAILED": WorkState.OVER,
    "CANCELLED": WorkState.OVER,
    "CANCELLATION_IN_PROGRESS": WorkState.ENDING,
    "DELETION_IN_PROGRESS": WorkState.ENDING,
}
"""Any other is before the start.
https://cloud.google.com/batch/docs/reference/rest/v1/projects.locations.jobs#State"""


class CloudBatchJobs(Work):
    """Jobs of Google Cloud Batch. No options."""

    name = "cloud_batch"
    noun = "Cloud Batch job"
    owns = frozenset({"job"})
    amends = owns
    given_up = True

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse machines that are never spot, a template that says which, and retries of Batch's own."""
        job = copied(arguments.get("job"))
        if job is None:
            return
        for instance in objects(value(job, "allocation_policy"), "instances"):
            if template := value(instance, "instance_template"):
                why = "the template says what the machines are, and no attempt could change it."
                raise refuse("instance_template", template, why, "Write a policy in its place.")
            model = _model(instance)
            if model is not None and not is_template(model) and _CAPACITIES.get(model) is not CapacityType.SPOT:
                why = "no attempt could be on spot."
                raise refuse("provisioning_model", model, why, "Drop it: each attempt writes SPOT or STANDARD.")
        for group in objects(job, "task_groups"):
            spec = value(group, "task_spec")
            again = value(spec, "max_retry_count")
            policies = objects(spec, "lifecycle_policies")
            if again and any(value(policy, "action") in _RETRY_TASK for policy in policies):
                raise refuse("lifecycle_policies", policies, _TWICE, "Drop them, and use retries.")
            if again:
                raise refuse("max_retry_count", again, _TWICE, "Drop it, and use retries.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the author's provisioning model stands for."""
        return _capacity_of(copied(arguments.get("job")))

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return the job with that provisioning model in each of its policies."""
        job = copied(arguments.get("job"))
        if job is None:
            raise LookupError(f"{arguments.get('job')!r} is no job")
        allocation = inner(job, "allocation_policy")
        if not objects(allocation, "instances"):
            write(allocation, "instances", [{}])
        for instance in objects(allocation, "instances"):
            write(inner(instance, "policy"), "provisioning_model", _MODELS[capacity])
        return {"job": job}

    def identified(self, arguments: Mapping[str, Any], attempt: int) -> dict[str, Any]:
        """Return the author's name for the first attempt, and one with a number for each later one."""
        return {"job_name": numbered(str(arguments["job_name"]), attempt, _LONGEST_NAME)} if attempt > 1 else {}

    def hearing(
        self,
        task: Any,  # noqa: ARG002
        heard: Callable[[str], None],
        attached: str | None,
    ) -> AbstractContextManager[object]:
        """Hear of the name that CreateJob answers with, and of a job that was cancelled."""
        from airflow.providers.google.cloud.hooks.cloud_batch import CloudBatchHook

        def submit(call: Callable[..., Any], hook: Any, *args: Any, **kwargs: Any) -> Any:
            if attached:
                return hook.get_job(attached)
            job = call(*args, **kwargs)
            heard(job.name)
            return job

        block = ExitStack()
        block.enter_context(around(CloudBatchHook, "submit_batch_job", submit))
        block.enter_context(around(CloudBatchHook, "wait_for_job", _wait))
        return block

    def attach(self, task: Any, job: str) -> None:
        """The operator submits in any case, and is answered with this job."""
        task.job_name = job.rpartition("/")[2]

    def look(self, task: Any, job: str) -> Seen:
        """Return what GetJob says; Batch keeps a job for 60 days."""
        try:
            told = as_fields(_client(task).get_job(name=job, timeout=SECONDS))
        except Exception as error:
            if is_missing(error):
                return GONE
            raise
        status = told["status"]["state"]
        return Seen(_STATES.get(status, WorkState.WAITING), status == "SUCCEEDED", _capacity_of(dict(told)))

    def stop(self, task: Any, job: str) -> None:
        """CancelJob, which keeps what is known of the job."""
        try:
            _client(task).cancel_job(name=job, timeout=SECONDS)
        except Exception as error:
            if not is_missing(error) and self.look(task, job).state is not WorkState.OVER:
                raise


_TWICE = "Batch would try again by itself, on the same kind of machine, and nobody would count it."


def _wait(
    call: Callable[..., Any], hook: Any, job_name: str, polling_period_seconds: float = 10, timeout: float | None = None
) -> Any:
    """Wait as the hook does, which has words of its own for every end but this one."""
    until = None if timeout is None else time.monotonic() + timeout
    while until is None or time.monotonic() < until:
        state = hook.get_job(job_name).status.state.name
        if state == "CANCELLED":
            raise AirflowException(f"Batch job with name {job_name} has been cancelled.")
        if state in ("SUCCEEDED", "FAILED", "DELETION_IN_PROGRESS"):
            return call(job_name, polling_period_seconds)
        time.sleep(polling_period_seconds)
    return call(job_name, polling_period_seconds, timeout=0)


def _client(task: Any) -> Any:
    from airflow.providers.google.cloud.hooks.cloud_batch import CloudBatchHook

    hook: Any = CloudBatchHook(task.gcp_conn_id, task.impersonation_chain)
    return hook.get_conn()


def _model(instance: dict[str, Any]) -> str | None:
    """The provisioning model of a policy, by its name; None if there is none."""
    model = value(value(instance, "policy"), "provisioning_model")
    named = _NUMBERS.get(model, f"number {model}") if isinstance(model, int) else model
    return None if named in (None, "", "PROVISIONING_MODEL_UNSPECIFIED") else str(named)


def _capacity_of(job: dict[str, Any] | None) -> CapacityType | None:
    """What all machines of a job are; Batch takes STANDARD where nothing is said."""
    instances = objects(value(job, "allocation_policy"), "instances")
    if job is None or any(value(instance, "instance_template") for instance in instances):
        return None
    found = {_CAPACITIES.get(_model(instance) or "STANDARD") for instance in instances or [{}]}
    return found.pop() if len(found) == 1 else None
