# SPDX-License-Identifier: Apache-2.0
"""Attempts of the real pod operator in a :class:`.Api`: its own code from ``execute`` on, its trigger, our policy.

Left out are the machines between: a signal is what its handler does (``worker/stopping.py``, which has tests of its
own), and a process that is killed is one whose next call of anything outside never returns.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.sdk.exceptions import TaskDeferred
from unit.conftest import Bench, FakeStore, FakeTaskInstance
from unit.operators.pod_world import NEVER, Fate, Life
from unit.operators.test_pod import Worker

from airflow_interruptible.exceptions import Interrupted
from airflow_interruptible.worker import notes
from airflow_interruptible.worker.stopping import GRACE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unit.operators.pod_api import Api, Fault


class Killed(BaseException):
    """The process is no more. It says no word, whoever catches this."""


@dataclass(frozen=True)
class Script:
    """What happens in one attempt.

    :param told: when its worker is told to stop; :param killed: when it is killed, :param orphaned: when the triggerer
        is: seconds since the attempt began.
    :param resumes: how long a deferred task takes to resume; :param pause: between its end and the next attempt.
    """

    fate: Fate
    told: float = NEVER
    killed: float = NEVER
    orphaned: float = NEVER
    resumes: float = 0.0
    pause: float = 0.0
    faults: tuple[Fault, ...] = ()


class Store(FakeStore):
    """The task state store. What is dead does not write."""

    world: Api

    def set(self, key: str, value: Any) -> None:
        if self.world.killed is not None:
            raise Killed
        super().set(key, value)


@dataclass
class Task:
    """A task instance: what outlives each process that works on it."""

    world: Api
    arguments: dict[str, Any]
    store: Store = field(default_factory=Store)

    def process(self, number: int, started: Any) -> Worker:
        """Begin a process that works on an attempt."""
        notes._notes.clear()
        self.store.world = self.world
        worker = Worker(lambda: Bench(None, FakeTaskInstance(None, 0)), self.world, **self.arguments)  # type: ignore[arg-type]
        worker.bench.store, worker.bench.ti.try_number = self.store, number
        worker.bench.ti.start_date = started  # type: ignore[attr-defined]
        return worker


class Attempt:
    """One attempt. ``how`` it ended: ``success``, ``raised``, ``told``, ``silent``, or both of the last."""

    def __init__(self, task: Task, number: int, script: Script) -> None:
        self.task, self.number, self.script, self.world = task, number, script, task.world
        self.begun = self.ended = self.world.now
        self.error: BaseException | None = None
        self.how = "success"
        self.was_told = False
        self.life: Life | None = None
        self.others = set(self.world.lives)

    def __repr__(self) -> str:
        marks = [] if self.life is None else [(round(at, 1), what) for at, what in self.life.marks]
        on = "nothing" if self.life is None else self.life.capacity
        shown = sorted(what for _, what in self.world.shown)
        return (
            f"attempt {self.number} on {on} ({self.begun:.1f} to {self.ended:.1f}), {self.how} ({self.error!r:.300}), "
            f"pod {marks}, shown {shown}, failed calls {sorted(self.world.failed)}"
        )

    def run(self) -> None:
        """Make it."""
        world, script = self.world, self.script
        world.fate, world.killed, world.shown, world.failed = script.fate, None, set(), set()
        world.faults = [replace(fault, at=self.begun + fault.at) for fault in script.faults]
        due = [(script.told, self._tell), (script.killed, self._kill)]
        world.interrupts = [(self.begun + at, does) for at, does in due if at < NEVER]
        try:
            self._work()
        except Killed:
            self.how = "told, silent" if self.was_told else "silent"
        except BaseException as error:
            self.error, self.how = error, "told" if isinstance(error, Interrupted) else "raised"
        world.interrupts, world.killed, self.ended = [], None, world.now
        self._find_its_pod()

    @property
    def record(self) -> Any:
        """What is written of it."""
        return self.worker.bench.ledger.records[self.number]

    @property
    def wrote_its_pod(self) -> bool:
        return "launched_pod" in self.record.where

    def judged(self) -> Any:
        """Have it judged, as Airflow does after an error: by the policy, in the same process."""
        return self.worker.bench.evaluate(self.error)

    def _work(self) -> None:
        self._begin()
        try:
            self.worker.task.execute(self.worker.context)
        except TaskDeferred as deferred:
            self._find_its_pod()
            self._go_on(deferred)

    def _go_on(self, deferred: TaskDeferred) -> None:
        while True:
            event = self._watched(deferred.trigger)
            self._begin()
            try:
                self.worker.task.resume_execution(deferred.method_name, {"event": event}, self.worker.context)
            except TaskDeferred as again:
                deferred = again
            else:
                return

    def _begin(self) -> None:
        self.worker = self.task.process(self.number, self.world.at(self.begun))

    def _find_its_pod(self) -> None:
        pod = self.worker.task.pod
        if pod is not None and pod.metadata.name in self.world.lives:
            self.life = self.world.lives[pod.metadata.name]
        elif self.life is None:
            new = [life for name, life in self.world.lives.items() if name not in self.others]
            self.life = new[-1] if new else None

    # -- the triggerer

    def _watched(self, trigger: Any) -> Any:
        """Return the trigger's event. Meanwhile there is no worker, and the triggerer may be another one."""
        world = self.world
        missed = world.interrupts
        at = self.begun + self.script.orphaned
        world.interrupts = [(at, self._kill)] if world.now <= at < NEVER else []
        shown = set(world.shown)
        try:
            event = self._first_event(trigger)
        except Killed:
            world.killed = None
            world.sleep(35)
            event = self._first_event(trigger)
        world.sleep(self.script.resumes)
        world.interrupts = [(at, does) for at, does in missed if at > world.now]
        world.shown = shown  # what the trigger was shown, the worker was not
        return event

    def _first_event(self, trigger: Any) -> Any:
        trigger = KubernetesPodTrigger(**trigger.serialize()[1])

        async def get_pod(name: str, namespace: str) -> Any:
            return self.world.read_namespaced_pod(name, namespace)

        trigger.hook = SimpleNamespace(get_pod=get_pod)

        async def first() -> Any:
            return (await anext(trigger.run())).payload

        return asyncio.run(first())

    # -- what happens to the process

    def _kill(self) -> None:
        self.world.killed = Killed()
        raise Killed

    def _tell(self) -> None:
        """Do what the handler of a signal does."""
        running = self.worker.task.interruptible_attempt
        if running is None or sys.exc_info()[1] is not None:
            return  # an error that is on its way out stays what it is
        self.was_told = True
        running.stop.tell(GRACE_SECONDS, wait=False)
        running._write_down()
        self.worker.task.on_kill()
        self.worker.task.interruptible_wait_until_stopped(time.monotonic() + GRACE_SECONDS)
        raise Interrupted("the machine of this attempt was told to stop")


@contextmanager
def on_the_clock_of(world: Api) -> Iterator[None]:
    """Let all of this process go by the world's clock, and nothing of it listen to the real world."""
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        world.sleep(seconds)
        await real(0)

    waits = {"latest": NEVER, "clock": lambda: world.now, "sleep": world.sleep}
    patches = {
        "time.sleep": world.sleep,
        "time.time": lambda: world.at(world.now).timestamp(),
        "time.monotonic": lambda: world.now,
        "asyncio.sleep": sleep,
        "airflow_interruptible.worker.pod_endings.await_end.__kwdefaults__": waits,
        "airflow_interruptible.worker.book.datetime": SimpleNamespace(now=lambda _: world.time),
        "airflow_interruptible.worker.stopping.Stop.begin": lambda _: None,
        "airflow_interruptible.remote.kubernetes._client_of": lambda _: world,
    }
    with ExitStack() as stack:
        for name, value in patches.items():
            stack.enter_context(mock.patch(name, value))
        yield
