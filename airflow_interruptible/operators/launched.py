# SPDX-License-Identifier: Apache-2.0
"""What the interruptible form of an operator does besides, if the operator launches a job on a service.

The same for every service; what differs is a :class:`~airflow_interruptible.launched.work.Work`. The job is placed once
the arguments have been rendered; its name is written down as soon as the service has told it; a job of an earlier
attempt is gone on with or ended, never run beside; a signal stops the job; and where the operator would take the end of
an interrupted job for a success, the service is asked.

Whatever of this fails leaves the operator as Airflow would run it, with one warning. What must not be left so, an
interruption that would end as success and a job that would run beside another, fails the attempt.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_interruptible import remote
from airflow_interruptible.annotation import resolve_interruptible
from airflow_interruptible.compute.launched import launcher_of
from airflow_interruptible.core.earlier_work import Step, WorkState
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.launched.arguments import written
from airflow_interruptible.launched.checking import said_by_task
from airflow_interruptible.worker import launched_jobs as jobs
from airflow_interruptible.worker.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow.sdk import BaseOperator, Context

    from airflow_interruptible.annotation import Annotation
    from airflow_interruptible.core.capacity import CapacityType
    from airflow_interruptible.core.evidence import Evidence
    from airflow_interruptible.launched.work import Seen, Work
    from airflow_interruptible.worker.book import Book

    _Base = BaseOperator
else:
    _Base = object

log = logging.getLogger(__name__)

T = TypeVar("T")


class InterruptedJob(AirflowException):
    """The operator took the end of a job for a success, and the service says that the job was interrupted."""


class JobLauncher(_Base):
    """Stands between :class:`.InterruptibleMixin` and the operator.

    ``launched_capacity`` is what the job of this attempt asked for, None if nobody knows; ``launched`` is where the job
    is, for the history; ``seen_evidence`` what the service said of the end of a job that only looked like a success.
    """

    interruptible_annotation: Annotation
    interruptible_book: Book | None
    interruptible_told: bool
    launched_capacity: CapacityType | None = None
    launched: Mapping[str, str] = {}
    seen_evidence: Evidence | None = None

    @property
    def interruptible_work(self) -> Work:
        """The kind of work that this operator launches."""
        work: Work = work_of(type(self))
        return work

    def execute(self, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Go on with the job of an earlier attempt, or launch one where this attempt belongs."""
        book = self.interruptible_book
        if book is None or self.launched:  # no history; or called again by what the operator resumes with
            return super().execute(context, *args, **kwargs)
        as_written = self._place(book)
        self._deal_with_earlier_work(context, book)
        try:
            with self._to_its_end(context):
                return super().execute(context, *args, **kwargs)
        except Exception as error:
            if self.launched or not as_written or not self._may_be_unplaced(error):
                raise
        self._set(as_written)
        with self._to_its_end(context):
            return super().execute(context, *args, **kwargs)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on with the job that was launched before the deferral."""
        if self.interruptible_book is None:
            return super().resume_execution(next_method, next_kwargs, context)
        record = self.interruptible_book.record
        self.launched = {key: name for key, name in record.where.items() if key.startswith("launched_")}
        self.launched_capacity = record.capacity
        if job := self.launched.get(jobs.JOB):
            self.interruptible_work.attach(self, job)
        with self._to_its_end(context):
            return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Stop the job, by the operator's own way if it has one."""
        if self.interruptible_work.stopped_by_operator:
            super().on_kill()
        elif job := self.launched.get(jobs.JOB):
            self.interruptible_work.stop(self, job)

    def _place(self, book: Book) -> dict[str, Any]:
        """Write the capacity of this attempt into the arguments; return what stood there, empty if they stay."""
        work, choice = self.interruptible_work, self.interruptible_annotation.launch
        options = choice.options if choice is not None else {}
        self._set(work.identified(written(self), book.attempt))
        arguments = _quietly(lambda: work.completed(self, written(self))) or written(self)
        self.launched_capacity = _quietly(lambda: work.asked(arguments, options))
        if choice is None:
            return {}
        try:
            work.check(arguments, options)
            changes = work.placed(arguments, options, book.placement.capacity)
        except ConfigurationError as error:
            self._leave_unplaced(error, book)
            return {}
        except Exception:
            log.warning("This %s cannot be placed, so it goes where its author sends it.", work.noun, exc_info=True)
            return {}
        self.launched_capacity = book.placement.capacity
        return self._set(changes)

    def _set(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        before = {name: getattr(self, name, None) for name in changes}
        for name, value in changes.items():
            setattr(self, name, value)
        return before

    def _leave_unplaced(self, error: ConfigurationError, book: Book) -> None:
        """Fail if the author says both things; a task that is interruptible by its Dag stays where it is."""
        if book.interruptible and self._is_explicit:
            raise AirflowFailException(str(error)) from error
        if book.interruptible:
            log.warning("%s The %s goes where its author sends it.", error, self.interruptible_work.noun)
        if self.launched_capacity is not None:
            self._write(why="its author's arguments say so")

    def _may_be_unplaced(self, error: Exception) -> bool:
        """Whether the service refused a default place that nobody asked for; the author's own place is taken then."""
        choice = self.interruptible_annotation.launch
        if choice is None or choice.options or self._is_explicit or not self.interruptible_work.refuses(error):
            return False
        noun = self.interruptible_work.noun
        log.warning("This %s cannot be placed, so it goes where its author sends it: %s", noun, error)
        self.launched_capacity = None
        return True

    @property
    def _is_explicit(self) -> bool:
        return said_by_task(resolve_interruptible(self, self.interruptible_annotation.interruptible))

    def _deal_with_earlier_work(self, context: Context, book: Book) -> None:
        try:
            found = self._earlier_work(context, book)
        except Exception:
            log.warning("Work of earlier attempts cannot be looked at; Airflow's own rule applies.", exc_info=True)
            return
        for job, seen in found:
            self._deal_with(job, seen, book)

    def _earlier_work(self, context: Context, book: Book) -> list[tuple[jobs.EarlierJob, Seen]]:
        known = jobs.earlier_job(book)
        others = [jobs.EarlierJob(name) for name in self.interruptible_work.others(self, dict(context))]
        found = [*([known] if known else []), *(job for job in others if known is None or job.name != known.name)]
        return [(job, self.interruptible_work.look(self, job.name)) for job in found]

    def _deal_with(self, job: jobs.EarlierJob, seen: Seen, book: Book) -> None:
        work = self.interruptible_work
        decision = jobs.step_about(job, seen, book, machines=work.machines, due=self.launched_capacity)
        if decision.step is Step.LEAVE:
            return
        if decision.step is Step.REFUSE:
            self.launched_capacity = seen.capacity
            self._leave_unplaced(jobs.in_the_way(work, job, decision), book)
            return
        if decision.step is Step.GO_ON and not self.launched:
            self._go_on_with(job, seen)
            return
        if decision.step is not Step.AWAIT_END:
            log.info("%s %s of an earlier attempt is ended first: %s.", work.noun, job.name, decision.why)
            work.stop(self, job.name)
        jobs.await_end(work, self, job.name)

    def _go_on_with(self, job: jobs.EarlierJob, seen: Seen) -> None:
        work = self.interruptible_work
        self.launched_capacity = seen.capacity or job.capacity
        does = "takes the success of" if seen.succeeded else "goes on with"
        runs = f" {self.launched_capacity.phrase}" if self.launched_capacity is not None else ""
        reason = f"{does} {work.noun} {job.name} of an earlier attempt{runs}"
        log.info("This attempt %s.", reason)
        self.launched = jobs.whereabouts(work, job.name, seen.used)
        work.attach(self, job.name)
        self._write(reason=reason)

    @contextmanager
    def _to_its_end(self, context: Context) -> Iterator[None]:
        """Hear of the job, and ask what became of it where the operator cannot be believed."""
        patience = Patience(self.interruptible_work, self)
        try:
            with patience, self.interruptible_work.hearing(self, self._heard, self.launched.get(jobs.JOB)):
                yield
        except TaskDeferred:
            raise
        except AirflowSkipException:
            self._refuse_false_success(context, skipped=True)
            raise
        except Exception:
            self._read_back()
            self.seen_evidence = patience.evidence if patience.ran_out else self.seen_evidence
            raise
        self._refuse_false_success(context)

    def _heard(self, job: str) -> None:
        """The service has told the name of the job. A signal that came meanwhile found none to stop."""
        if job == self.launched.get(jobs.JOB):
            return
        self.launched = jobs.whereabouts(self.interruptible_work, job, {})
        self._write()
        if self.interruptible_told:
            self.interruptible_work.stop(self, job)

    def _read_back(self) -> Seen | None:
        """Look at the job once more, and keep what it really used for the history."""
        work = self.interruptible_work
        job = self.launched.get(jobs.JOB) or _quietly(lambda: work.job_of(self))
        seen = _quietly(lambda: work.look(self, job)) if job else None
        if seen is not None and job is not None:
            self.launched = {**self.launched, **jobs.whereabouts(work, job, seen.used)}
            self.launched_capacity = seen.capacity or self.launched_capacity
        return seen

    def _refuse_false_success(self, context: Context, *, skipped: bool = False) -> None:
        """Ask the service about a job that its operator takes for a success.

        :param skipped: it takes the job's exit code for a skip, which may be the author's wish.
        :raises InterruptedJob: it was interrupted.
        """
        before, seen, work = self.launched, self._read_back(), self.interruptible_work
        if work.ends_falsely and seen is not None:
            error = InterruptedJob(f"{work.noun} {self.launched[jobs.JOB]} was ended before its work was done")
            evidence = remote.described(self, error, dict(context))
            failed = seen.state is WorkState.OVER and not seen.succeeded and not skipped
            if failed or (evidence is not None and _is_systems(evidence)):
                self.seen_evidence = evidence
                raise error
        if self.launched != before:
            self._write()

    def _write(self, **known: Any) -> None:
        """Write into the history where the job is, what it runs on, and what else is known of the attempt."""
        if self.interruptible_book is None:
            return
        try:
            book = replace(self.interruptible_book, launched=self.launched)
            record = book.starting_record()
            record = replace(record, capacity=self.launched_capacity or record.capacity, **known)
            self.interruptible_book = book.write(record, book.history)
        except Exception:
            log.warning("The job of this attempt cannot be written into the history.", exc_info=True)


@cache
def work_of(operator_class: type) -> Any:
    """Return the kind of work that an operator class launches.

    :raises LookupError: it launches none.
    """
    launcher = launcher_of(operator_class)
    if launcher is None:
        raise LookupError(f"{operator_class.__name__} launches no work")
    return launcher.work


def _is_systems(evidence: Evidence) -> bool:
    from airflow_interruptible.core.cause import Charge
    from airflow_interruptible.core.classification import classify
    from airflow_interruptible.rules import DEFAULT_RULES

    return classify(evidence, DEFAULT_RULES).cause.charge is Charge.SYSTEM


def _quietly(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except Exception:
        log.debug("The service does not say.", exc_info=True)
        return None
