# SPDX-License-Identifier: Apache-2.0
"""Takes the "machine" away from under a running task, as a cloud takes back a spot instance.

The machine is the supervisor, the task process it forked, and all that came of them. Decides who is killed, when, and
who is spared; must not know what a task was running for.

Surprising: the pid that Airflow reports for a task instance is the task process's; the supervisor is its parent. With
LocalExecutor that parent is one of a few processes that the scheduler forked once and uses again, in the scheduler's
own process group. So nothing here signals a group, and a supervisor that has gone on to other work is left alone.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from datetime import datetime, timezone

import psutil

from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.processes import descendants_of, is_gone, kill_all, send

_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Reclaimed:
    """What was done to a machine, and when.

    :param first_signal: when the first signal was sent (UTC).
    :param finished: when nothing of the machine was left (UTC).
    :param killed: the ids of the processes that had to be killed, in no order.
    :param ended_in_time: whether the attempt was over, supervisor's report included, before the grace was.
    """

    first_signal: datetime
    finished: datetime
    killed: frozenset[int]
    ended_in_time: bool


@dataclass(frozen=True)
class Machine:
    """A running attempt's processes: take one with :meth:`under`, then end it in one of the ways spot machines end.

    :param supervisor: the process that Airflow's executor runs the workload in.
    :param task: the process that runs the author's code.
    """

    supervisor: psutil.Process
    task: psutil.Process
    _workload: tuple[str, ...]

    @classmethod
    def under(cls, task_pid: int) -> Machine:
        """Find the machine under a task process.

        :param task_pid: the ``pid`` that Airflow reports for the running task instance.
        :raises LabError: when there is no such process any more.
        """
        try:
            task = psutil.Process(task_pid)
            supervisor = task.parent()
            if is_gone(task) or supervisor is None or supervisor.pid == 1:
                raise LabError(f"task process {task_pid} has no supervisor any more: its attempt is over already.")
            return cls(supervisor=supervisor, task=task, _workload=tuple(supervisor.cmdline()))
        except psutil.NoSuchProcess as gone:
            raise LabError(
                f"no process {task_pid} on this host: the attempt is over already, or ran on another host."
            ) from gone

    def reclaim(self, grace: float) -> Reclaimed:
        """Take the machine away: SIGTERM to the supervisor, the grace, then SIGKILL to everything.

        Returns as soon as nothing is left, so before the grace is over if the attempt ends by itself.

        :param grace: seconds between warning and end, as Kubernetes' termination grace or a cloud's notice. 0 is no
            warning at all: everything is killed at once.
        """
        offspring = descendants_of(self.task)  # before the signal: children of a dead task are nobody's
        started = datetime.now(timezone.utc)
        if grace > 0:
            send(self.supervisor, signal.SIGTERM)
            offspring = self._outlast(grace, offspring)
        ended_in_time = grace > 0 and not self._at_work()
        roots = offspring if ended_in_time else {self.supervisor, self.task, *offspring}
        return _report(started, _kill_trees(roots), ended_in_time=ended_in_time)

    def kill_task_process(self) -> Reclaimed:
        """SIGKILL the task process alone, as the kernel's out-of-memory killer does; the supervisor lives to see it."""
        started = datetime.now(timezone.utc)
        kill_all([self.task])
        return _report(started, frozenset({self.task.pid}), ended_in_time=False)

    def _outlast(self, grace: float, known: set[psutil.Process]) -> set[psutil.Process]:
        """Wait until the grace is over or nothing is left; return what the task started before and meanwhile."""
        deadline = time.monotonic() + grace
        offspring = set(known)
        while time.monotonic() < deadline and (self._at_work() or not all(map(is_gone, offspring))):
            time.sleep(_LOOK_SECONDS)
            offspring |= descendants_of(self.task)
        return offspring

    def _at_work(self) -> bool:
        """Whether the supervisor still has to do with this attempt, if only to report its end.

        A process that goes on to other work says so in its title, which is all that can be seen from outside.
        """
        if not is_gone(self.task):
            return True
        try:
            return not is_gone(self.supervisor) and tuple(self.supervisor.cmdline()) == self._workload
        except psutil.NoSuchProcess:
            return False


def _kill_trees(roots: set[psutil.Process]) -> frozenset[int]:
    """Kill processes with all their descendants, first stopping each so that none can report or fork meanwhile."""
    waiting, frozen = list(roots), set[psutil.Process]()
    while waiting:
        process = waiting.pop()
        if process not in frozen and not is_gone(process) and send(process, signal.SIGSTOP):
            frozen.add(process)
            waiting.extend(descendants_of(process))
    kill_all(frozen)
    return frozenset(process.pid for process in frozen)


def _report(started: datetime, killed: frozenset[int], *, ended_in_time: bool) -> Reclaimed:
    return Reclaimed(started, datetime.now(timezone.utc), killed, ended_in_time)
