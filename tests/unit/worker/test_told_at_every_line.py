# SPDX-License-Identifier: Apache-2.0
"""A signal at each line of this package that an attempt runs through, in its process's main thread.

The lines are not listed: the attempt is run once and watched, then once more for each line that was seen, and the
signal is sent when that line is reached for the first time. A signal is delivered between two instructions, so what
comes before and after every line is a state that a real one may meet.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from waiting import until

import airflow_interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_interruptible.core.cause import Charge

PACKAGE = str(Path(airflow_interruptible.__file__).parent)
SIGTERM = signal.SIGTERM
WATCHED = tuple(str(Path(PACKAGE, folder)) for folder in ("operators", "policies", "worker"))
"""What knows of signals or of processes. The rest computes: there, one line is like another."""

WORK = "the work has begun"
Place: TypeAlias = tuple[str, int]


class Tracer:
    """Notes the lines of this package that are run, and sends a signal when ``target`` is reached for the first time.

    :ivar sent: what of the author's code had been reached when the signal was sent, None if it was not.
    """

    def __init__(self, target: Place | None = None) -> None:
        self.target, self.seen = target, dict[Place, None]()
        self.reached: list[str] = []
        self.sent: list[str] | None = None

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(WATCHED) or code.co_name == "<module>":
            return None
        place = code.co_filename, frame.f_lineno
        if event == "line" and place not in self.seen:
            self.seen[place] = None
            if place == self.target:
                self.sent = list(self.reached)
                signal.raise_signal(SIGTERM)
        return self


@dataclass
class Life:
    """One attempt, as Airflow has it run: the work, what is left to do, and the question what a failure costs.

    :ivar outcome: what Airflow reports.
    :ivar kills: how often the operator was told to stop its work.
    """

    bench: Any
    tracer: Tracer
    outcome: str = ""
    kills: int = 0

    def killed(self) -> None:
        self.kills += 1

    def run(self) -> None:
        signal.signal(SIGTERM, lambda *_: self.bench.task.on_kill())  # which is what Airflow's does
        sys.settrace(self.tracer)
        try:
            self._airflow()
        finally:
            sys.settrace(None)

    def _airflow(self) -> None:
        try:
            self.bench.task.execute(self.bench.context)
        except BaseException as error:
            self.outcome = self._decided(error)
        else:
            self.outcome = "success"

    def _decided(self, error: BaseException) -> str:
        """What Airflow does with an error: a policy that fails is none."""
        try:
            return str(self.bench.evaluate(error).action.value)
        except Exception:
            return "the policy failed"

    @property
    def charge(self) -> Charge:
        charge: Charge = self.bench.ledger.records[1].charge
        return charge


def succeeds() -> None: ...


def fails() -> None:
    raise KeyError("the author's")


def is_told() -> None:
    signal.raise_signal(SIGTERM)


@pytest.fixture
def live(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Life]]:
    """``live(work, place)``: an attempt that is told to stop at that place."""

    def _run_task_and_map_outcome(life: Life) -> None:
        life.run()

    runner: Any = SimpleNamespace(SUPERVISOR_COMMS=None, run=None, _run_task_and_map_outcome=_run_task_and_map_outcome)
    monkeypatch.setitem(sys.modules, "airflow.sdk.execution_time.task_runner", runner)
    before = {signum: signal.getsignal(signum) for signum in (SIGTERM, signal.SIGINT)}

    def one(work: Callable[[], None], place: Place | None = None) -> Life:
        life = Life(bench(retries=1), Tracer(place))

        def execute(*_: object) -> None:
            life.tracer.reached.append(WORK)
            work()

        monkeypatch.setattr(life.bench.task.made_from, "execute", execute)
        monkeypatch.setattr(life.bench.task.made_from, "on_kill", lambda _: life.killed(), raising=False)
        runner._run_task_and_map_outcome(life)
        return life

    yield one
    for signum, handler in before.items():
        signal.signal(signum, handler)


def keepers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("interruptible-")]


@pytest.mark.parametrize(
    ("work", "early", "late"),
    [
        (succeeds, {"retry system"}, {"success", "retry system"}),
        (fails, {"retry system"}, {"retry user"}),
        (is_told, {"retry system"}, {"retry system"}),
    ],
    ids=["the work succeeds", "the work fails", "told once more"],
)
def test_a_signal_at_every_line(
    live: Callable[..., Life], work: Callable[[], None], early: set[str], late: set[str]
) -> None:
    """Before the work it is interrupted; after it, what it was stays what it is; its operator is told once.

    :param early: what may become of an attempt that was told before the author's code had begun.
    :param late: what may become of one that was told when that had ended, or, where it was told already, again.
    """
    places, wrong = list(live(work).tracer.seen), []
    assert len(places) > 150  # else something that Airflow calls is not watched any more
    for place in places:
        life = live(work, place)
        if life.tracer.sent is None:
            continue  # its way was another one this time
        got = life.outcome if life.outcome == "success" else f"{life.outcome} {life.charge.value}"
        too_often = life.kills > 1 or (WORK not in life.tracer.sent and life.kills != 1)
        if got not in (late if WORK in life.tracer.sent else early) or too_often:
            wrong.append(f"{os.path.relpath(place[0], PACKAGE)}:{place[1]}: {got}, on_kill() {life.kills} times")
    assert not wrong
    until(lambda: len(keepers()) <= 1)  # the last one watches what Airflow does after a success
