# SPDX-License-Identifier: Apache-2.0
"""AWS Batch: the jobs that BatchOperator submits, placed by the queue.

A queue is always the author's, so it must be one of a pair, by either name; there may be several pairs, such as one
with GPUs. The compute environments behind a queue make it spot or on-demand; a queue that lists both kinds tries them
in order, so it cannot stand for a capacity.
https://docs.aws.amazon.com/batch/latest/userguide/job_queue_parameters.html

The surprising fact: without a retry strategy of its own a job has that of its definition, so that Batch would try again
by itself, on the same queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.pair import Pair
from airflow_interruptible.core.earlier_work import WorkState
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.launched.aws import answers
from airflow_interruptible.launched.work import GONE, Seen, Work, is_template, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from airflow_interruptible.core.capacity import CapacityType

_EXAMPLE = '{"spot": "spot-queue", "on_demand": "queue"}, or {"pairs": [...]} with several of those'
_STATES = {"RUNNING": WorkState.AT_WORK, "SUCCEEDED": WorkState.OVER, "FAILED": WorkState.OVER}
"""Any other is before the start. https://docs.aws.amazon.com/batch/latest/userguide/job_states.html"""


class BatchJobs(Work):
    """Jobs of AWS Batch. Options: ``spot`` and ``on_demand``, two queues; or ``pairs``, a list of such pairs."""

    name = "batch"
    noun = "Batch job"
    owns = frozenset({"job_queue", "retry_strategy"})

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse anything but pairs of queues, each queue in one."""
        pairs = _pairs(options)
        names = [name for pair in pairs for name in (pair.spot, pair.on_demand)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigurationError(
                f"Queue {twice[0]!r} is in several pairs of compute 'batch', so it does not tell where else its jobs "
                "may go. Name it in one pair only."
            )

    def check(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Refuse a queue of no pair, retries of Batch's own, and work that is not waited for."""
        queue = arguments.get("job_queue")
        if not is_template(queue) and _pair_of(queue, options) is None:
            known = ", ".join(f"{pair.spot} and {pair.on_demand}" for pair in _pairs(options))
            why = "the next attempt would have to leave that queue, and nothing says for which."
            raise refuse("job_queue", queue, why, f"Use a queue of a pair ({known}), or name its pair for this task.")
        strategy = arguments.get("retry_strategy")
        tries = strategy.get("attempts") if isinstance(strategy, dict) else None
        if isinstance(tries, int) and tries > 1:
            why = "Batch would try again by itself, on the same queue, and nobody would count it."
            raise refuse("retry_strategy", strategy, why, "Drop it, and use retries.")
        if not arguments.get("wait_for_completion", True) and not arguments.get("deferrable"):
            why = "nobody would see that the job was interrupted."
            raise refuse("wait_for_completion", False, why, "Wait for it, or set deferrable=True.")

    def asked(self, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityType | None:
        """Return what the author's queue stands for."""
        queue = arguments.get("job_queue")
        pair = _pair_of(queue, options) if options else None
        return None if pair is None else pair.capacity_of(_name(queue))

    def placed(
        self, arguments: Mapping[str, Any], options: Mapping[str, Any], capacity: CapacityType
    ) -> dict[str, Any]:
        """Return the queue of the pair, as a name or an ARN as the author wrote it, and one try."""
        queue = str(arguments["job_queue"])
        pair = _pair_of(queue, options)
        if pair is None:
            raise LookupError(f"queue {queue!r} is in no pair")
        before = queue.removesuffix(_name(queue))
        return {"job_queue": before + pair.name_of(capacity), "retry_strategy": {"attempts": 1}}

    def hearing(self, task: Any, heard: Callable[[str], None], attached: str | None) -> AbstractContextManager[object]:
        """Hear of the id that SubmitJob answers with."""
        instead = {"jobId": attached, "jobName": task.job_name} if attached else None
        return answers(task.hook.conn, "batch.SubmitJob", lambda answer: answer.get("jobId"), heard, instead)

    def attach(self, task: Any, job: str) -> None:
        """The operator submits in any case, and is answered with this job."""
        task.job_id = job

    def look(self, task: Any, job: str) -> Seen:
        """Return what DescribeJobs says; Batch forgets a job after a week or so."""
        described = task.hook.conn.describe_jobs(jobs=[job])["jobs"]
        if not described:
            return GONE
        told = described[0]
        status = told.get("status")
        state = _STATES.get(status, WorkState.WAITING)
        if state is not WorkState.OVER and (told.get("isTerminated") or told.get("isCancelled")):
            state = WorkState.ENDING
        used = {"queue": _name(told["jobQueue"])} if told.get("jobQueue") else {}
        return Seen(state, status == "SUCCEEDED", used=used)

    def stop(self, task: Any, job: str) -> None:
        """TerminateJob, which cancels a job that has not started."""
        task.hook.conn.terminate_job(jobId=job, reason="The attempt that it belongs to is over")


def _pairs(options: Mapping[str, Any]) -> list[Pair]:
    several = options.get("pairs")
    if several is None:
        return [Pair.from_options("batch", options, _EXAMPLE)]
    if not isinstance(several, list) or not several or set(options) != {"pairs"}:
        raise ConfigurationError(f"compute 'batch' needs pairs as a list, got {dict(options)!r}. Write {_EXAMPLE}.")
    return [Pair.from_options("batch", one if isinstance(one, dict) else {}, _EXAMPLE) for one in several]


def _pair_of(queue: object, options: Mapping[str, Any]) -> Pair | None:
    return next((pair for pair in _pairs(options) if pair.capacity_of(_name(queue)) is not None), None)


def _name(queue: object) -> str:
    """The name of a queue, from its name or its ARN, ``arn:aws:batch:REGION:ACCOUNT:job-queue/NAME``."""
    return str(queue).rpartition("/")[2]
