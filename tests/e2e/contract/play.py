"""Play a list of endings on a real stack: take machines away when the script says so, and see what came of it."""

from __future__ import annotations

import ast
import random
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_interruptible.testing import DagRun, SpotLab

Kill = Literal["grace", "machine", "process", "early"]
GRACE = 30  # as Kubernetes gives; what ends sooner is not waited for
_TRIGGERING = Lock()  # several runs created at once keep SQLite's one writer waiting for minutes
TASK = "work"


@dataclass(frozen=True)
class Played:
    """A run that is over. ``attempts`` is what ``airflow interruptible attempts --output json`` printed."""

    run: DagRun
    attempts: list[dict[str, Any]]
    rest_capacities: list[str]

    def column(self, name: str) -> list[Any]:
        return [attempt[name] for attempt in self.attempts]


def play(lab: SpotLab, dag_id: str, endings: Sequence[str], kills: Sequence[Kill] = ("grace",)) -> Played:
    """Run ``dag_id`` so that its attempts end as ``endings`` say: ``I`` interrupted, ``A`` an error, ``ok``."""
    words = {"I": "wait", "A": "error", "ok": "ok"}
    script = {str(number): words[ending] for number, ending in enumerate(endings, 1)}
    with _TRIGGERING:
        run = lab.trigger(dag_id, conf={"script": script})
    interrupted = [number for number, ending in enumerate(endings, 1) if ending == "I"]
    for number, kill in zip(interrupted, _cycle(kills, len(interrupted)), strict=True):
        take_away(lab, run, number, kill, last=number == len(endings))
    lab.client.wait_for_run(run)
    return Played(lab.client.dag_run(run), attempts(lab, run), rest_capacities(lab, run))


def _cycle(kills: Sequence[Kill], count: int) -> list[Kill]:
    return [kills[index % len(kills)] for index in range(count)]


def take_away(
    lab: SpotLab, run: DagRun, number: int, kill: Kill = "grace", *, last: bool = False, task: str = TASK
) -> None:
    """End try ``number`` at a random moment, and wait for the next one, unless it is the ``last``.

    ``grace`` is SIGTERM, a grace, SIGKILL; ``early`` the same while Airflow still imports; ``machine`` no warning at
    all; ``process`` the task process alone.
    """
    lab.wait_until_running(run, task, try_number=number)
    if kill != "early":
        wait_for_log(lab, run, task, number, "plays")
        random_pause(lab)
    if kill == "process":
        lab.kill_task_process(run, task)
    else:
        lab.reclaim(run, task, grace={"machine": 0, "early": GRACE}.get(kill, PATIENCE))
    if not last:
        lab.client.wait_for_try(run, task, number + 1)


def random_pause(lab: SpotLab) -> None:
    """Spend a random moment asking for the run's state; the task may be anywhere in its own code then."""
    for _ in range(random.randrange(1, 20)):
        lab.client.import_errors()


def wait_for_log(lab: SpotLab, run: DagRun, task: str, number: int, text: str) -> None:
    """Wait until the task itself has written ``text``: it is past whatever ours does first."""
    from airflow_interruptible.testing.polling import wait_until

    wait_until(
        lambda: lab.client.logs(run, task, number),
        lambda log: text in log,
        what=f"{text!r} in the log of {run.dag_id}.{task} try {number}",
        timeout=PATIENCE,
    )


def attempts(lab: SpotLab, run: DagRun, task: str = TASK, map_index: int = -1) -> list[dict[str, Any]]:
    """Return what the command line says, which is what people and outside checks read."""
    return lab.attempts(run, task, map_index)


def rest_capacities(lab: SpotLab, run: DagRun, task: str = TASK, map_index: int = -1) -> list[str]:
    """Return the capacity of every try as Airflow's own REST API shows it; tries of plain tasks show none."""
    configs = [
        ast.literal_eval(row.executor_config or "{}") for row in lab.client.tries(run, task, map_index=map_index)
    ]
    return [config["interruptible"]["capacity"] for config in configs if "interruptible" in config]


def raw_log(lab: SpotLab, run: DagRun, number: int, task: str = TASK) -> str:
    """Return the log file of a try, with the exceptions that the REST API leaves out of the text."""
    folder = Path(lab.stack.home, "logs", f"dag_id={run.dag_id}", f"run_id={run.run_id}", f"task_id={task}")
    return (folder / f"attempt={number}.log").read_text()
