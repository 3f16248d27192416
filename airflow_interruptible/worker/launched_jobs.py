# SPDX-License-Identifier: Apache-2.0
"""Jobs that earlier attempts launched on a service: which there are, what is done about them, and waiting for an end.

What is decided is :func:`airflow_interruptible.core.earlier_work.step_for`'s; here it is looked up and carried out.
It must not know any service.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from airflow_interruptible.core.earlier_work import Decision, EarlierWork, Step, WorkState, step_for, step_for_machines
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.launched.work import Seen, Work
    from airflow_interruptible.worker.book import Book

JOB = "launched_job"
"""The whereabouts under which the history keeps the name of a job."""

_PACE = 2.0


class StillAtWork(AirflowException):
    """A job of an earlier attempt does not end, so this attempt must not begin its own beside it."""


@dataclass(frozen=True)
class EarlierJob:
    """A job of an earlier attempt.

    :param capacity: what the history says that it runs on.
    :param cleared: a person has cleared the task since, so its result is not wanted.
    :param known: whether the history knows it, or only the operator or the service does.
    :param unreported: the attempt never reported, so the success of its job has not been taken yet.
    """

    name: str
    capacity: CapacityType | None = None
    cleared: bool = False
    known: bool = False
    unreported: bool = True

    def found(self, seen: Seen) -> EarlierWork:
        """Return the job as the rule for earlier work sees it: what the service tells wins over the history."""
        return EarlierWork(seen.state, seen.capacity or self.capacity)


def earlier_job(book: Book) -> EarlierJob | None:
    """Return the last job that the history knows, None if it knows none."""
    records = book.ledger.records
    known = [number for number in records if number < book.attempt and records[number].where.get(JOB)]
    if not known:
        return None
    number = max(known)
    as_read = book.read.records.get(number)  # before evidence of its end was looked for
    unreported = as_read is None or as_read.cause is None
    return EarlierJob(
        records[number].where[JOB], records[number].capacity, number <= book.ledger.base, True, unreported
    )


def step_about(job: EarlierJob, seen: Seen, book: Book, *, machines: bool, due: CapacityType | None) -> Decision:
    """Decide what this attempt does about an earlier job.

    :param machines: see :attr:`.Work.machines`.
    :param due: what this attempt's own job would ask for, None if it is not placed.
    """
    if machines:
        return step_for_machines(job.found(seen), due=due, ours=job.known)
    if job.cleared:
        wanted = Decision(Step.END_FIRST, "a person has cleared the task since")
        return Decision(Step.LEAVE, "it has ended") if seen.state is WorkState.OVER else wanted
    if seen.succeeded and job.unreported:
        return Decision(Step.GO_ON)
    return step_for(job.found(seen), due=due, last_user_attempt=book.history.next_is_last)


def in_the_way(work: Work, job: EarlierJob, decision: Decision) -> ConfigurationError:
    """Return the error for machines that are not ours to end."""
    return ConfigurationError(
        f"{work.noun} {job.name} exists already and was not made by an earlier attempt of this task: {decision.why}. "
        "Delete it, or give this one another name."
    )


def await_end(work: Work, task: Any, job: str, pace: float = _PACE) -> None:
    """Wait until the service says that ``job`` is over.

    :param pace: seconds between two looks.
    :raises StillAtWork: it is not.
    """
    until = time.monotonic() + work.ends_within
    while work.look(task, job).state is not WorkState.OVER:
        if time.monotonic() > until:
            raise StillAtWork(
                f"{work.noun} {job} of an earlier attempt was told to end {work.ends_within:.0f} s ago and still "
                "runs, so this attempt begins nothing beside it. End it by hand, or clear the task once it has ended."
            )
        time.sleep(pace)


def whereabouts(work: Work, job: str, used: Mapping[str, str]) -> dict[str, str]:
    """Return what the history keeps of a job."""
    return {JOB: job, "launched_on": work.name, **{f"launched_{name}": value for name, value in used.items()}}
