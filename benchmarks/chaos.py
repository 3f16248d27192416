# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.chaos``: random kills at random moments of every process, then count what was promised.

Whatever handlers tasks have, and however long their scripts save: all must succeed, none may spend a user retry, none
may be lost or end as success without having finished. Faulty tasks must fail after exactly their three user attempts,
the last of them on demand. No two attempts of a task may be at work at once.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_interruptible.testing import LabError, SpotLab
from airflow_interruptible.testing.attempts import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_interruptible.testing import DagRun

DAGS = Path(__file__).parent / "dags_chaos"
TASKS = ("honest", "handled", "stubborn", "script", "faulty")
COMPONENTS = ("scheduler", "api-server", "dag-processor")
USER_ATTEMPTS = 3
COMPONENT_SHARE = 0.15
_GRACES = {"machine": 0, "short grace": 1}
_MORE = {"honest": ("process", "clear"), "handled": ("process",), "faulty": ("process",)}
"""What is done to some tasks besides. A killed process leaves its script behind, and a clear its user attempts."""
PATIENCE = 900
CONFIG = {
    "scheduler": {
        "task_instance_heartbeat_timeout": 40,  # longer than a restart of the api-server
        "orphaned_tasks_check_interval": 5,
        "scheduler_health_check_threshold": 10,
    }
}


def main() -> None:
    """Run the chaos and end with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=6, help=f"Dag runs, {len(TASKS)} tasks each (default: 6)")
    parser.add_argument("--minutes", type=float, default=5, help="how long things are killed (default: 5)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="repeats the same choices")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory() as marks, SpotLab(DAGS, config=CONFIG) as lab:
        runs = [lab.trigger("chaos", conf={"seconds": 15, "marks": marks}) for _ in range(args.runs)]
        kills = _wreak_havoc(lab, runs, random.Random(args.seed), args.minutes * 60)
        for run in runs:
            lab.client.wait_for_run(run, timeout=PATIENCE)
        broken = _broken(lab, runs, Path(marks))
    print(f"\n{kills} kills, {len(runs) * len(TASKS)} tasks, {len(broken)} broken promises")
    print("\n".join(broken))
    sys.exit(1 if broken else 0)


def _wreak_havoc(lab: SpotLab, runs: list[DagRun], dice: random.Random, seconds: float) -> int:
    """Kill something every few seconds; return how often."""
    started, kills = time.monotonic(), 0
    while (elapsed := time.monotonic() - started) < seconds:
        time.sleep(dice.uniform(1, 6))
        name, kill = _choice(lab, runs, dice)
        with suppress(LabError):  # it was not running, or nobody could be asked just now
            kill()
            kills += 1
            print(f"{elapsed:6.1f} s  {name}", flush=True)
    return kills


def _choice(lab: SpotLab, runs: list[DagRun], dice: random.Random) -> tuple[str, Callable[[], Any]]:
    if dice.random() < COMPONENT_SHARE:
        component = dice.choice(COMPONENTS)
        return f"{component}: SIGKILL, and a new one", lambda: (lab.stack.kill(component), lab.stack.start(component))
    run, task = dice.choice(runs), dice.choice(TASKS)
    how = dice.choice(["grace", "short grace", "doubled", "machine", *_MORE.get(task, ())])
    return f"{run.run_id} {task}: {how}", lambda: _take(lab, run, task, how)


def _take(lab: SpotLab, run: DagRun, task: str, how: str) -> None:
    if lab.client.task_instance(run, task).state != "running":
        raise LabError("it does not run")
    if how == "process":
        lab.kill_task_process(run, task)
    elif how == "clear":
        lab.client.clear(run, task)
    else:
        if how == "doubled":  # as systemd does: to the whole group
            os.kill(lab.wait_until_running(run, task).pid, signal.SIGTERM)
        lab.reclaim(run, task, grace=_GRACES.get(how, 5))


def _overlaps(working: Path) -> list[str]:
    """Return which attempts were at work at once, by what each of them said while it worked."""
    said: dict[int, list[float]] = {}
    for line in working.read_text().splitlines() if working.exists() else ():
        attempt, moment = line.split()
        said.setdefault(int(attempt), []).append(float(moment))
    spans = [(attempt, min(moments), max(moments)) for attempt, moments in sorted(said.items())]
    return [
        f"attempts {one} and {other}" for (one, _, end), (other, begin, _) in itertools.pairwise(spans) if begin < end
    ]


def _broken(lab: SpotLab, runs: list[DagRun], marks: Path) -> list[str]:
    """Return every promise that was broken, in words."""
    keys = {f"{run.run_id} {task}": (run.dag_id, task, run.run_id, -1) for run in runs for task in TASKS}
    broken: list[str] = []
    for name, printed in read(lab.stack, keys).items():
        run_id, _, task = name.rpartition(" ")
        last = printed.attempts[-1]
        user = sum(attempt["charge"] == "user" for attempt in printed.attempts)
        if task == "faulty":
            promises = {
                "it fails": last["state"] == "failed",
                f"after {USER_ATTEMPTS} user attempts": user == USER_ATTEMPTS,
                "the last of them on demand": last["capacity"] == "on-demand",
            }
        else:
            promises = {
                "it succeeds": last["state"] == "success",
                "no user retry is spent": user == 0,
                "success means that it finished": (marks / name.replace(" ", ".")).exists(),
            }
        at_once = _overlaps(marks / f"{run_id}.{task}.work")
        promises[f"no two attempts are at work at once ({', '.join(at_once)})"] = not at_once
        broken += [f"{name}: {promise}\n{printed.text}" for promise, kept in promises.items() if not kept]
    return broken


if __name__ == "__main__":
    main()
