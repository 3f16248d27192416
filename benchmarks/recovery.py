# SPDX-License-Identifier: Apache-2.0
"""From the kill to the next attempt, and what it cost, with plain Airflow and with interruptible tasks.

All runs are in one stack at the same time, so Airflow's waits of five minutes are waited for once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from airflow_interruptible.testing import DagRun, SpotLab, attempts
from airflow_interruptible.testing.polling import wait_until
from benchmarks.section import Section, Table, typical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_interruptible.testing import Try
    from benchmarks.section import Say

Kill = Literal["grace", "machine", "process"]

GRACE = 5.0
REPEATS = 3
RETRIES = 2
AIRFLOW_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "core": {"parallelism": 32},
    "scheduler": {
        "scheduler_idle_sleep_time": 1,
        "scheduler_heartbeat_sec": 5,
        "task_instance_heartbeat_timeout": 300,
        "task_instance_heartbeat_timeout_detection_interval": 10.0,
    },
    "workers": {"min_heartbeat_interval": 5},
}
"""What the lab makes faster, put back to what Airflow's config.yml says."""

_METHOD = f"""
LocalExecutor on SQLite, plain and interruptible tasks in the same stack at the same time, with Airflow's default
settings: `task_instance_heartbeat_timeout` 300 s, looked at every 10 s, a worker's heartbeat every 5 s, `retry_delay`
300 s unless said otherwise; `late_heartbeat` 10 s with us. `retries={RETRIES}`. Medians of {REPEATS} (lowest to
highest).
"""
_NOTES = (
    """
    After SIGTERM a task of plain Airflow works on until the grace is over, and then dies unreported: the heartbeat
    time-out and the `retry_delay` follow. A longer grace only makes that later.
    """,
    """
    A machine that goes without a word is noticed by plain Airflow's heartbeat time-out alone. With us the scheduler
    looks for the processes of an attempt that was not heard of for `late_heartbeat`, 10 s by default, and ends it when
    they are gone.
    """,
    """
    Retries left are the author's. Plain Airflow knows no capacity: each retry goes where the first attempt went.
    """,
)
_DAGS = Path(__file__).parent / "dags_recovery"
_LONGEST = 1200.0
_QUIET = 3.0
"""Seconds between two kills, so that one recovery does not slow the next one down."""


@dataclass(frozen=True)
class Variant:
    """One side of the comparison; ``name`` is how its Dags begin."""

    name: str
    title: str


PLAIN = Variant("plain", "plain Airflow")
AT_ONCE = Variant("plain_at_once", "plain Airflow, `retry_delay=0`")
OURS = Variant("interruptible", "interruptible")
VARIANTS = (PLAIN, AT_ONCE, OURS)


@dataclass(frozen=True)
class Case:
    """One way to lose a machine.

    :param interruptions: how many attempts lose it.
    :param variants: who it happens to.
    """

    title: str
    kill: Kill
    task_id: Literal["wait", "copy"] = "wait"
    interruptions: int = 1
    repeats: int = REPEATS
    variants: tuple[Variant, ...] = VARIANTS


MACHINE = Case("SIGKILL of the machine: task and supervisor, no warning", "machine")
GRACEFUL = Case(f"SIGTERM, {GRACE:g} s of grace, SIGKILL", "grace")
PROCESS = Case("SIGKILL of the task process", "process")
STOPS = Case("SIGTERM; `on_kill` stops the work", "grace", task_id="copy", repeats=1, variants=(PLAIN, OURS))
THRICE = Case("three SIGKILLs of the task process", "process", interruptions=3, repeats=1, variants=(AT_ONCE, OURS))
CASES = (MACHINE, GRACEFUL, PROCESS, STOPS, THRICE)
"""Those that plain Airflow takes longest to notice come first."""


@dataclass
class Play:
    """A run of a case.

    :param waits: seconds from each kill to the start of the next attempt.
    """

    case: Case
    variant: Variant
    run: DagRun
    tries: Sequence[Try] = ()
    waits: list[float] = field(default_factory=list)
    outcome: Sequence[str] = ()
    kills: list[float] = field(default_factory=list)


def measure(say: Say) -> Section:
    """Play all cases for all variants in one stack."""
    with SpotLab(_DAGS, config=AIRFLOW_DEFAULTS, timeout=300) as lab:
        say("the stack is up")
        plays = []
        for case, variant, number in _programme():
            say(f"{case.title}: {variant.title}")
            plays.append(_play(lab, case, variant, number))
            time.sleep(_QUIET)
        say("all machines are taken away; plain Airflow takes more than ten minutes to get over it")
        _wait_for_ends(lab, plays, say)
        _judge(lab, plays)
    return _section(plays)


def _programme() -> Iterator[tuple[Case, Variant, int]]:
    for case in CASES:
        for number in range(case.repeats):
            for variant in case.variants:
                yield case, variant, number


def _play(lab: SpotLab, case: Case, variant: Variant, number: int) -> Play:
    """Start a run and take its machines away; do not wait for what comes of it."""
    run_id = f"{case.kill}_{case.interruptions}_{number}"
    run = lab.trigger(f"{variant.name}_{case.task_id}", {"interruptions": case.interruptions}, run_id)
    play = Play(case, variant, run)
    for attempt in range(1, case.interruptions + 1):
        _wait_until_at_work(lab, play, attempt)
        if case.kill == "process":
            gone = lab.kill_task_process(run, case.task_id)
        else:
            gone = lab.reclaim(run, case.task_id, grace=GRACE if case.kill == "grace" else 0)
        play.kills.append(gone.first_signal.timestamp())
    return play


def _wait_until_at_work(lab: SpotLab, play: Play, number: int) -> None:
    task_id = play.case.task_id
    lab.wait_until_running(play.run, task_id, try_number=number, timeout=_LONGEST)
    wait_until(
        lambda: lab.client.logs(play.run, task_id, number),
        lambda log: "at work" in log,
        what=f"{play.run.dag_id} to be at work",
        timeout=_LONGEST,
        interval=0.5,
    )


def _wait_for_ends(lab: SpotLab, plays: Sequence[Play], say: Say) -> None:
    told = 0

    def unfinished() -> list[str]:
        nonlocal told
        left = [play for play in plays if lab.client.dag_run(play.run).state not in ("success", "failed")]
        if told != len(left):
            say(f"{len(left)} runs are not over: {', '.join(sorted({play.run.dag_id for play in left})) or 'none'}")
            told = len(left)
        return [play.run.run_id for play in left]

    wait_until(unfinished, lambda left: not left, what="all runs to end", timeout=_LONGEST, interval=5.0)


def _judge(lab: SpotLab, plays: Sequence[Play]) -> None:
    """Read what came of each run."""
    keys = {
        f"{play.run.dag_id} {play.run.run_id}": (play.run.dag_id, play.case.task_id, play.run.run_id, -1)
        for play in plays
    }
    printed = attempts.read(lab.stack, keys)
    for play in plays:
        play.tries = lab.client.tries(play.run, play.case.task_id)
        starts = [each.start_date.timestamp() for each in play.tries[1:] if each.start_date]
        play.waits = [start - kill for start, kill in zip(starts, play.kills, strict=False)]
        play.outcome = _outcome(lab, play, printed[f"{play.run.dag_id} {play.run.run_id}"].attempts)


def _outcome(lab: SpotLab, play: Play, seen: Sequence[dict[str, object]]) -> list[str]:
    """Return the cells of the second table: the attempt that was hit, retries left, capacities, final state."""
    last = play.tries[-1]
    left = seen[-1]["user_retries_left"] if play.variant is OURS else max(0, last.max_tries + 1 - last.try_number)
    capacities = [str(each["capacity"]) for each in seen] if play.variant is OURS else ["same"] * len(play.tries)
    final = str(last.state)
    if play.case is STOPS:
        path = f"/dags/{play.run.dag_id}/dagRuns/{play.run.run_id}/taskInstances/copy/xcomEntries/return_value"
        final += f", {lab.client.request('GET', path)['value']} of 100 rows copied"
    return [str(play.tries[0].state), f"{left} of {RETRIES}", ", ".join(capacities), final]


def _section(plays: Sequence[Play]) -> Section:
    return Section(
        title="From the kill to the next attempt",
        method=_METHOD,
        tables=[_times(plays), _outcomes(plays)],
        notes=_NOTES,
    )


def _times(plays: Sequence[Play]) -> Table:
    rows = []
    for case in (GRACEFUL, PROCESS, MACHINE):
        waits = {variant: _waits(plays, case, variant) for variant in VARIANTS}
        faster = median(waits[PLAIN]) / median(waits[OURS])
        rows.append([case.title, *(typical(each) for each in waits.values()), f"{faster:.0f} x"])
    return Table(
        ["Lost by", *(variant.title for variant in VARIANTS), "against plain"],
        rows,
        "Seconds until the next attempt runs",
    )


def _waits(plays: Sequence[Play], case: Case, variant: Variant) -> list[float]:
    return [play.waits[0] for play in plays if play.case is case and play.variant is variant]


def _outcomes(plays: Sequence[Play]) -> Table:
    rows = []
    for case in (GRACEFUL, PROCESS, MACHINE, STOPS, THRICE):
        for variant in case.variants:
            outcomes = {tuple(play.outcome) for play in plays if play.case is case and play.variant is variant}
            rows += [[case.title, variant.title, *outcome] for outcome in sorted(outcomes)]
    columns = ["Lost by", "", "attempt 1 ended as", "retries left", "capacity of the attempts", "the task ended as"]
    return Table(columns, rows, "What it cost")
