# SPDX-License-Identifier: Apache-2.0
"""What Amazon's executors lack, which run each attempt as a job of a service.

* They launch a job that has failed again, as the dead attempt was to be launched, even beside the next attempt. Here a
  job is launched once, and Airflow retries.
* They fail an attempt without saying why. Here what the service says of the job goes with it, so that the scheduler can
  charge it to whom it belongs.
* They cannot revoke a task, so that one for which there is no capacity waits for ever. Here they can, and an attempt on
  spot is given up after ``spot_timeout``, for the next one to go on demand.

Each executor adds how its service is asked. Whatever of this fails leaves the executor as Amazon made it.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.executors.placing import PlacingExecutor
from airflow_interruptible.marker import Marker
from airflow_interruptible.server import seam
from airflow_interruptible.server.apart import tolerated
from airflow_interruptible.server.complaints import complaints
from airflow_interruptible.server.seam import SeamChangedError
from airflow_interruptible.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

_ENDLESS = "Whether an attempt is to run on spot cannot be told. It waits for a machine without end."


@dataclass
class _Job:
    """The job of an attempt.

    :param since: when it was launched, by the monotonic clock.
    :param may_wait: whether it may be waiting for a spot machine, for all that is known. One that comes back from a
        deferral is left to Airflow: to fail it would lose what its trigger brought.
    """

    name: str
    since: float
    may_wait: bool


class JobExecutor(PlacingExecutor, ABC):
    """Launches each job once, says why it ended, and gives up what finds no spot capacity."""

    job_noun: ClassVar[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._jobs: dict[Any, _Job] = {}
        self._on_spot: set[Any] = set()
        self._refusals: dict[Any, str] = {}

    @abstractmethod
    def described(self, job: str) -> Mapping[str, Any]:
        """Return what the service says of a job, nothing if it does not know it."""

    @abstractmethod
    def end_of(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what that says of the job's end."""

    @abstractmethod
    def waits_for_capacity(self, described: Mapping[str, Any]) -> bool:
        """Whether the job has no machine yet."""

    @abstractmethod
    def stop(self, job: str, why: str) -> None:
        """Ask the service to end a job."""

    @abstractmethod
    def forget(self, key: Any) -> None:
        """Drop an attempt from what the executor looks after, launched or not."""

    def queue_workload(self, workload: Any, session: Session) -> None:
        """Place the attempt, queue it, and remember whether it is to begin on spot."""
        super().queue_workload(workload, session)
        try:
            with tolerated(_ENDLESS):
                self._remember(getattr(workload, "ti", None), session)
        except SeamChangedError as error:
            complaints.tell(_ENDLESS, error)

    def _remember(self, ti: Any, session: Session) -> None:
        if ti is None or not _is_on_spot(ti.executor_config):
            return
        row = session.get(seam.models().task_instance, ti.id)
        if row is not None and row.next_method is None:
            self._on_spot.add(self._key_of(ti))

    def running_state(self, key: Any, info: Any = None) -> None:
        """Remember the job of an attempt, of which the executor tells here."""
        if info:
            self._jobs[key] = _Job(str(info), time.monotonic(), key in self._on_spot)
        super().running_state(key, info)

    def log_task_event(self, *, event: str, extra: str, ti_key: Any) -> None:
        """Remember why an attempt could not be launched."""
        self._refusals[ti_key] = extra
        super().log_task_event(event=event, extra=extra, ti_key=ti_key)

    def fail(self, key: Any, info: Any = None) -> None:
        """Fail an attempt, and say why."""
        job, refusal = self._jobs.get(key), self._refusals.get(key)
        self._settle(key)
        super().fail(key, info or refusal or (self._end_in_words(job) if job is not None else None))

    def success(self, key: Any, info: Any = None) -> None:
        """Forget the attempt's job."""
        self._settle(key)
        super().success(key, info)

    def revoke_task(self, *, ti: Any) -> None:
        """End the job of an attempt that never began, so that Airflow may queue it again."""
        key = self._key_of(ti)
        job = self._jobs.get(key)
        self._drop(key, job.name if job is not None else ti.external_executor_id, "Airflow has revoked the task")

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> Sequence[Any]:
        """Adopt what another scheduler has left, and remember the jobs."""
        left = super().try_adopt_task_instances(tis)
        for ti in tis:
            if ti not in left and ti.external_executor_id:
                begins = _is_on_spot(ti.executor_config) and ti.next_method is None
                self._jobs[self._key_of(ti)] = _Job(ti.external_executor_id, time.monotonic(), begins)
        return left

    def sync(self) -> None:
        """Look after the attempts as Amazon's does, and give up those that find no spot capacity."""
        super().sync()
        patience = get_settings().spot_timeout.total_seconds()
        late = [key for key, job in self._jobs.items() if job.may_wait and time.monotonic() - job.since > patience]
        for key in late:
            with tolerated("Whether an attempt waits for spot capacity cannot be told. It waits on."):
                self._judge(key, patience)

    def _judge(self, key: Any, patience: float) -> None:
        job = self._jobs[key]
        if not self.waits_for_capacity(self.described(job.name)):
            job.may_wait = False
            return
        why = f"{self.job_noun} {job.name} found no spot capacity within {patience:.0f} s"
        self._drop(key, job.name, why)
        self.fail(key, why)

    def _drop(self, key: Any, job: str | None, why: str) -> None:
        """End a job, and let the executor know nothing of the attempt any more."""
        if job:
            with tolerated("The job of an attempt that is given up could not be ended. It may still begin."):
                self.stop(job, why)
        with tolerated("An attempt that is given up could not be taken from the executor."):
            self.forget(key)
        self._settle(key)
        self.running.discard(key)
        queues = getattr(self, "executor_queues", None)  # since 3.4; one of tasks before
        for queue in (self.queued_tasks,) if queues is None else queues.values():
            queue.pop(key, None)

    def _settle(self, key: Any) -> None:
        self._jobs.pop(key, None)
        self._refusals.pop(key, None)
        self._on_spot.discard(key)

    def _end_in_words(self, job: _Job) -> str | None:
        """What the service says of the end of a job, as :mod:`airflow_interruptible.rules` reads it."""
        said: Mapping[str, Any] = {}
        with tolerated("Why an attempt ended cannot be told; it counts as one that said nothing."):
            said = self.end_of(self.described(job.name))
        return f"{self.job_noun} {job.name} ended: {json.dumps(said)}" if said else None

    def _key_of(self, ti: Any) -> Any:
        return self.get_task_key(ti) if hasattr(self, "get_task_key") else ti.key  # the former since 3.4


def _is_on_spot(executor_config: object) -> bool:
    marker = Marker.from_config(executor_config)
    return marker is not None and marker.placed and marker.capacity is CapacityType.SPOT
