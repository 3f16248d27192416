# SPDX-License-Identifier: Apache-2.0
"""AWS Glue: job runs of the execution class FLEX, on spare capacity, or STANDARD.

A flexible run waits for capacity, and may lose it; Glue says of neither more than that the run failed or took too long.
Only Spark jobs of Glue 3.0 and later on G.1X and G.2X workers can be flexible.
https://docs.aws.amazon.com/glue/latest/dg/add-job.html

The surprising fact: Glue starts a failed run again by itself if the *job* says ``MaxRetries``, under another id, while
the operator sees the first one fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.launched.aws import answers, error_of
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

_CLASS, _WORKERS = "ExecutionClass", "WorkerType"
_CLASSES = {"FLEX": CapacityType.SPOT, "STANDARD": CapacityType.ON_DEMAND}
_NAMES = {capacity: name for name, capacity in _CLASSES.items()}
_FLEXIBLE_WORKERS = ("G.1X", "G.2X")
_STATES = {
    "STARTING": WorkState.WAITING,
    "WAITING": WorkState.WAITING,
    "RUNNING": WorkState.AT_WORK,
    "STOPPING": WorkState.ENDING,
}
"""Any other is an end. https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html"""


class GlueRuns(Work):
    """Runs of Glue jobs. No options."""

    name = "glue"
    noun = "Glue job run"
    owns = amends = frozenset({"run_job_kwargs"})

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse what cannot be flexible, retries of Glue's own, and a run that is not waited for."""
        run, job = _inside(arguments, "run_job_kwargs"), _inside(arguments, "create_job_kwargs")
        chosen = run.get(_CLASS)
        if chosen is not None and not is_template(chosen) and chosen != "FLEX":
            raise refuse(_CLASS, chosen, "the run says that it is never on spare capacity.", "Drop it.")
        workers = run.get(_WORKERS, job.get(_WORKERS))
        if workers is not None and not is_template(workers) and workers not in _FLEXIBLE_WORKERS:
            instead = f"Use {' or '.join(_FLEXIBLE_WORKERS)}, or say interruptible=False."
            raise refuse(_WORKERS, workers, "Glue has no flexible ones of these.", instead)
        if tries := arguments.get("retry_limit"):
            why = "Glue would run the job again by itself, under an id that nobody waits for."
            raise refuse("retry_limit", tries, why, "Drop it, and use retries.")
        if not arguments.get("wait_for_completion", True) and not arguments.get("deferrable"):
            why = "nobody would see what became of the run."
            raise refuse("wait_for_completion", False, why, "Wait for it, or set deferrable=True.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:  # noqa: ARG002
        """Return what the run says; without it, it is as its job."""
        return _CLASSES.get(str(_inside(arguments, "run_job_kwargs").get(_CLASS)))

    def placed(
        self,
        arguments: Mapping[str, Any],
        options: Mapping[str, Any],  # noqa: ARG002
        capacity: CapacityType,
    ) -> dict[str, Any]:
        """Return the arguments of the run with the execution class, which overrules the job's."""
        return {"run_job_kwargs": {**_inside(arguments, "run_job_kwargs"), _CLASS: _NAMES[capacity]}}

    def hearing(self, task: Any, heard: Callable[[str], None], attached: str | None) -> AbstractContextManager[object]:
        """Hear of the id that StartJobRun answers with."""
        instead = {"JobRunId": attached, "ResponseMetadata": {"HTTPStatusCode": 200}} if attached else None
        return answers(task.hook.conn, "glue.StartJobRun", lambda answer: answer.get("JobRunId"), heard, instead)

    def attach(self, task: Any, job: str) -> None:
        """The operator starts a run unless it finds this one by its own means, and is answered with it."""
        task._job_run_id = job  # noqa: SLF001 - where the operator keeps it

    def look(self, task: Any, job: str) -> Seen:
        """Return what GetJobRun says, and what the run has used of Glue's units."""
        try:
            told = task.hook.conn.get_job_run(JobName=task.job_name, RunId=job)["JobRun"]
        except Exception as error:
            if error_of(error)[0] == "EntityNotFoundException":
                return GONE
            raise
        state, used = told["JobRunState"], told.get("DPUSeconds")
        known = {} if used is None else {"dpu_seconds": f"{used:g}"}
        capacity = _CLASSES.get(str(told.get(_CLASS)))
        return Seen(_STATES.get(state, WorkState.OVER), state == "SUCCEEDED", capacity, known)

    def stop(self, task: Any, job: str) -> None:
        """BatchStopJobRun."""
        task.hook.conn.batch_stop_job_run(JobName=task.job_name, JobRunIds=[job])


def _inside(arguments: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = arguments.get(name)
    return value if isinstance(value, dict) else {}
