# SPDX-License-Identifier: Apache-2.0
"""Google Vertex AI: the jobs that CreateCustomJobOperator creates, placed by their scheduling strategy.

https://cloud.google.com/vertex-ai/docs/training/use-spot-vms

The surprising fact: Vertex itself starts a job again, up to six times, when its machines are preempted, and only then
says that there was no capacity. So its retries are disabled: Airflow's come at once, and can leave spot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched.fields import copied, inner, value, write
from airflow_interruptible.launched.hooks import around, is_missing
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, refuse
from airflow_interruptible.remote.google import SECONDS, as_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

STRATEGIES = {CapacityType.SPOT: "SPOT", CapacityType.ON_DEMAND: "STANDARD"}
_NUMBERS = {0: None, 1: "ON_DEMAND", 2: "LOW_COST", 3: "STANDARD", 4: "SPOT", 6: "FLEX_START"}
_CAPACITIES = {
    "SPOT": CapacityType.SPOT,
    "LOW_COST": CapacityType.SPOT,
    "STANDARD": CapacityType.ON_DEMAND,
    "ON_DEMAND": CapacityType.ON_DEMAND,
}
"""https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec#Strategy"""

_STATES = {
    "RUNNING": WorkState.AT_WORK,
    "UPDATING": WorkState.AT_WORK,
    "CANCELLING": WorkState.ENDING,
    **dict.fromkeys(("SUCCEEDED", "FAILED", "CANCELLED", "PAUSED", "EXPIRED", "PARTIALLY_SUCCEEDED"), WorkState.OVER),
}
"""What follows ``JOB_STATE_`` or ``PIPELINE_STATE_``. Any other is before the start.
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState"""


class VertexJobs(Work):
    """Custom jobs of Vertex AI. No options."""

    name = "vertex"
    noun = "Vertex AI job"
    owns = frozenset({"custom_job"})
    amends = owns
    stopped_by_operator = True

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse a strategy that is never spot, and restarts by Vertex."""
        scheduling = _scheduling(copied(arguments.get("custom_job")))
        strategy = _strategy(scheduling)
        if strategy is not None and not is_template(strategy) and _CAPACITIES.get(strategy) is not CapacityType.SPOT:
            why = "no attempt could be on spot."
            raise refuse("strategy", strategy, why, "Drop it: each attempt writes SPOT or STANDARD.")
        if value(scheduling, "restart_job_on_worker_restart"):
            why = "Vertex would begin again by itself, and nobody would count it."
            raise refuse("restart_job_on_worker_restart", True, why, "Drop it, and use retries.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the author's strategy stands for."""
        return _capacity_of(copied(arguments.get("custom_job")))

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return the job with that strategy, and without retries by Vertex."""
        given: Any = arguments.get("custom_job")
        job = copied(given)
        if job is None:
            raise LookupError(f"{given!r} is no job")
        if hasattr(given, "job_spec"):  # a message stays one: some of its fields cannot be read back as they print
            message = type(given)(given)
            message.job_spec.scheduling.strategy = STRATEGIES[capacity]
            message.job_spec.scheduling.disable_retries = True
            return {"custom_job": message}
        scheduling = inner(job, "job_spec", "scheduling")
        write(scheduling, "strategy", STRATEGIES[capacity])
        write(scheduling, "disable_retries", True)
        return {"custom_job": job}

    def hearing(
        self,
        task: Any,
        heard: Callable[[str], None],
        attached: str | None,
    ) -> AbstractContextManager[object]:
        """Hear of the name that CreateCustomJob answers with."""
        from airflow.providers.google.cloud.hooks.vertex_ai.custom_job import CustomJobHook

        def create(call: Callable[..., Any], _: Any, *args: Any, **kwargs: Any) -> Any:
            if attached:
                return _get(task, attached)
            job = call(*args, **kwargs)
            self.attach(task, job.name)
            heard(job.name)
            return job

        return around(CustomJobHook, "create_custom_job", create)

    def attach(self, task: Any, job: str) -> None:
        """The operator creates a job in any case, and is answered with this one."""
        task.custom_job_id = short(job)

    def look(self, task: Any, job: str) -> Seen:
        """Return what GetCustomJob says."""
        return seen(lambda: _get(task, job), _capacity_of)

    def stop(self, task: Any, job: str) -> None:
        """CancelCustomJob, which does nothing to a job that is over."""
        task.hook.cancel_custom_job(
            project_id=task.project_id, region=task.region, custom_job=short(job), timeout=SECONDS
        )


def short(name: str) -> str:
    """The last part of ``projects/PROJECT/locations/REGION/customJobs/ID``, which hooks want."""
    return name.rpartition("/")[2]


def seen(get: Callable[[], Any], capacity_of: Callable[[dict[str, Any]], CapacityType | None]) -> Seen:
    """Return what Vertex says of a job or a pipeline."""
    try:
        told = dict(as_fields(get()))
    except Exception as error:
        if is_missing(error):
            return GONE
        raise
    state = str(told["state"]).rpartition("_STATE_")[2]
    return Seen(_STATES.get(state, WorkState.WAITING), state == "SUCCEEDED", capacity_of(told))


def _get(task: Any, job: str) -> Any:
    return task.hook.get_custom_job(
        project_id=task.project_id, region=task.region, custom_job=short(job), timeout=SECONDS
    )


def _scheduling(job: dict[str, Any] | None) -> Any:
    return value(value(job, "job_spec"), "scheduling")


def _strategy(scheduling: Any) -> str | None:
    """The strategy by its name, None if there is none."""
    strategy = value(scheduling, "strategy")
    named = _NUMBERS.get(strategy, f"number {strategy}") if isinstance(strategy, int) else strategy
    return None if named in (None, "", "STRATEGY_UNSPECIFIED") else str(named)


def _capacity_of(job: dict[str, Any] | None) -> CapacityType | None:
    """What a job was asked for; Vertex takes STANDARD where nothing is said."""
    return None if job is None else _CAPACITIES.get(_strategy(_scheduling(job)) or "STANDARD")
