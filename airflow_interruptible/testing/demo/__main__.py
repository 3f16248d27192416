# SPDX-License-Identifier: Apache-2.0
"""``python -m airflow_interruptible.testing.demo [--keep] [--seed N]``.

Wiring and words: start the lab, let the stage play, print the attempts, check the contract. Exits with 1 if anything
broke it, or if the demo could not be played.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import airflow_interruptible
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.testing import DagRun, LabError, SpotLab, attempts
from airflow_interruptible.testing.demo import contract
from airflow_interruptible.testing.demo.screen import Screen, Tone
from airflow_interruptible.testing.demo.script import DAG_ID, PLACES, SCRIPT, conf
from airflow_interruptible.testing.demo.stage import Stage, capacity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAG_FILE = Path(airflow_interruptible.__file__).parent.parent / "dags" / f"{DAG_ID}.py"
_RUN_SECONDS = 600.0
"""A safety net: a laptop needs 80, a busy one more."""
_START_SECONDS = 300.0
_SPOT, _ON_DEMAND = PLACES[CapacityType.SPOT], PLACES[CapacityType.ON_DEMAND]
_EXECUTORS = f"{_ON_DEMAND},{_SPOT}:airflow_interruptible.testing.demo.spot_machines.SpotMachines"
_CONFIG = {
    "core": {"executor": _EXECUTORS},
    "interruptible": {
        "compute": "executor",
        "compute_options": {"spot": _SPOT, "on_demand": _ON_DEMAND},
        "system_retry_delay": 2,
    },
}
_ONE_THREAD_EACH = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main(arguments: list[str] | None = None) -> int:
    """Play the demo and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m airflow_interruptible.testing.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the stack running, to look around in the UI")
    parser.add_argument("--seed", type=int, default=None, help="take machines away at the same moments again")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a demo that is ended ends its stack
    screen = Screen()
    try:
        _check_prerequisites()
        with _home() as home:
            return _in_lab(home, screen, options)
    except LabError as error:
        screen.line(f"The demo could not be played: {error}", Tone.LOST)
        return 1
    except KeyboardInterrupt:
        return 130


def _check_prerequisites() -> None:
    if find_spec("sklearn") is None:
        raise LabError(
            "it trains with scikit-learn, which is not installed. Install it, or this package's google extra."
        )
    if not _DAG_FILE.is_file():
        raise LabError(
            f"there is no {_DAG_FILE}. Example Dags are not in the wheel: run it in a checkout, by make demo."
        )


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """A directory that goes with the demo, unless the logs in it have to tell what went wrong."""
    home = Path(tempfile.mkdtemp(prefix="airflow-demo-"))
    (home / "dags").mkdir()
    shutil.copy(_DAG_FILE, home / "dags")
    needed = False
    try:
        yield home
    except LabError:
        needed = True
        raise
    finally:
        if not needed:
            shutil.rmtree(home, ignore_errors=True)


def _in_lab(home: Path, screen: Screen, options: argparse.Namespace) -> int:
    seed = random.SystemRandom().randrange(10_000) if options.seed is None else options.seed
    screen.line("Interruptible tasks, on a real Airflow whose machines are really taken away", Tone.TITLE)
    screen.line(f"Random moments of seed {seed}. Starting an api-server, a scheduler and a Dag processor: 15 to 30 s.")
    with SpotLab(home / "dags", home=home, config=_CONFIG, env=_ONE_THREAD_EACH, timeout=_START_SECONDS) as lab:
        screen.event("airflow", f"is up: {lab.stack.base_url}")
        run = lab.trigger(DAG_ID, conf(SCRIPT), run_id="demo")
        screen.event("airflow", f"runs {_DAG_FILE.name}: three folds, a training, a release")
        run = Stage(lab, run, SCRIPT, screen, random.Random(seed)).play(_RUN_SECONDS)
        faults = _epilogue(lab, run, screen)
        if options.keep:
            _keep(lab, screen)
        if faults:
            raise LabError(f"the contract is broken; the logs are in {home}.")
    return 0


def _epilogue(lab: SpotLab, run: DagRun, screen: Screen) -> list[str]:
    """Print what happened, where to see it and whether it was right; return what was not."""
    keys = {part.name: (run.dag_id, part.task_id, run.run_id, part.map_index) for part in SCRIPT}
    printed = attempts.read(lab.stack, keys)
    for part in SCRIPT:
        screen.line()
        index = "" if part.map_index < 0 else f" --map-index {part.map_index}"
        screen.line(f"$ airflow interruptible attempts {run.dag_id} {run.run_id} {part.task_id}{index}", Tone.TITLE)
        screen.line(printed[part.name].text)
    screen.line()
    tries = {part.name: lab.client.tries(run, *part.key) for part in SCRIPT}
    seen = {
        part.name: contract.Seen(printed[part.name].attempts, [capacity_of(each) for each in tries[part.name]])
        for part in SCRIPT
    }
    faults = contract.faults(SCRIPT, run.state, seen)
    for fault in faults:
        screen.line(f"BROKEN  {fault}", Tone.LOST)
    if not faults:
        for promise in contract.promises(SCRIPT):
            screen.line(f"KEPT  {promise}", Tone.GOOD)
    task = f"{lab.stack.base_url}/dags/{run.dag_id}/runs/{run.run_id}/tasks/train"
    screen.line(f"In the UI, the tab Attempts of the task: {task}/plugin/interruptible-attempts")
    screen.line("All together: Interruptions, in the navigation. `make demo KEEP=1` leaves the UI running.")
    screen.line(f"It took {screen.elapsed:.0f} s.")
    return faults


def _keep(lab: SpotLab, screen: Screen) -> None:
    environment = " ".join(
        f"{name}={shlex.quote(lab.stack.env[name])}" for name in ("AIRFLOW_HOME", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    )
    screen.line()
    screen.line(f"The stack stays: {lab.stack.base_url} (no password). Press Ctrl-C to end it.", Tone.TITLE)
    screen.line(f"The command line on it: {environment} airflow interruptible attempts ...")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
