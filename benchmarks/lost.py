# SPDX-License-Identifier: Apache-2.0
"""A machine that is gone without a word under Kubernetes, ECS and Celery: from its death to the next attempt.

All runs are in one stack at the same time, so Airflow's waits are waited for once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_interruptible.testing import DagRun, SpotLab
from airflow_interruptible.testing.polling import wait_until
from benchmarks.machines import NODE_SECONDS, QUARANTINE, machines
from benchmarks.recovery import AIRFLOW_DEFAULTS, AT_ONCE, OURS, VARIANTS, Variant
from benchmarks.section import Section, Table
from tests.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.section import Say

TASK = "wait"
EXECUTORS = (
    "CeleryExecutor,KubernetesExecutor,ecs:airflow.providers.amazon.aws.executors.ecs.ecs_executor.AwsEcsExecutor,"
    "ours:airflow_interruptible.executors.ecs.InterruptibleAwsEcsExecutor"
)
TITLES = {
    "kubernetes": "KubernetesExecutor: the machine under a node",
    "ecs": "AwsEcsExecutor: the machine of a task",
    "celery": "CeleryExecutor: the EC2 instance under a worker",
}
PLAYED = {"kubernetes": VARIANTS, "ecs": VARIANTS, "celery": (AT_ONCE, OURS)}
"""Who loses a machine. Plain Airflow under Celery, which takes ten minutes, is told by ``recovery``."""

_DAGS = Path(__file__).parent / "dags_lost"
_LONGEST = 1200.0
_QUIET = 5.0
"""Seconds between two losses, so that one recovery does not slow the next one down."""

_METHOD = f"""
SIGKILL of everything on the machine, under unmodified executors in one stack on PostgreSQL, with Airflow's default
settings as above; our tasks on ECS under InterruptibleAwsEcsExecutor. Kubernetes, ECS and EC2 are endpoints whose
pods, tasks and instances are processes of one machine; redis and Celery's workers are real. ECS and EC2 know of the
loss at once. The object of a node outlives its machine by {NODE_SECONDS:g} s, and its pods are collected
{QUARANTINE:g} s later, as is Kubernetes' default. One run each.
"""
_NOTES = (
    """
    With us an attempt is looked for when it has not been heard of for 10 s. In a real cluster the time until the node's
    object is gone comes on top: Kubernetes finds a node silent after some 40 s, and the cloud's controller then removes
    it. Where the worker's EC2 instance is known and may be described, that tells sooner.
    """,
    """
    Plain Airflow sees a pod that was collected, and a task of ECS that has stopped, by its executors, and waits for
    `retry_delay` then. A lost worker of Celery it notices by its heartbeat time-out alone, so it is as under
    LocalExecutor above, and ours is held against `retry_delay=0` here.
    """,
)


@dataclass
class Play:
    """A run whose machine is lost.

    :param place: which executor, as :data:`TITLES` spells it.
    :param lost: when.
    :param wait: seconds until the next attempt began.
    :param reason: what is told of the lost attempt.
    """

    place: str
    variant: Variant
    run: DagRun
    lost: float = 0.0
    wait: float = 0.0
    reason: str = ""


def measure(say: Say) -> Section:
    """Start all runs, take their machines away one after the other, and wait for what comes of it."""
    with postgres() as database, machines(database) as (there, options):
        config = {**AIRFLOW_DEFAULTS, **options["config"]}
        with SpotLab(
            _DAGS, executor=EXECUTORS, sql_alchemy_conn=database, config=config, env=options["env"], timeout=600
        ) as lab:
            say("the stack is up")
            for each in there.values():
                each.begin(lab, len(VARIANTS))
            plays = [
                Play(place, variant, lab.trigger(f"{variant.name}_{place}"))
                for place, variants in PLAYED.items()
                for variant in variants
            ]
            for play in plays:
                _wait_until_at_work(lab, play)
            say("all are at work")
            for play in plays:
                say(f"{TITLES[play.place]}: {play.variant.title}")
                play.lost = time.time()
                there[play.place].lose(lab, play.run, TASK)
                time.sleep(_QUIET)
            _wait_for_next(lab, plays, say)
            _read_reasons(lab, plays)
    return Section("A machine that dies without a word, elsewhere", _METHOD, _tables(plays), _NOTES)


def _wait_until_at_work(lab: SpotLab, play: Play) -> None:
    lab.wait_until_running(play.run, TASK, timeout=_LONGEST)
    wait_until(
        lambda: lab.client.logs(play.run, TASK, 1),
        lambda log: "at work" in log,
        what=f"{play.run.dag_id} to be at work",
        timeout=_LONGEST,
        interval=1.0,
    )


def _wait_for_next(lab: SpotLab, plays: Sequence[Play], say: Say) -> None:
    def unfinished() -> list[Play]:
        for play in [play for play in plays if not play.wait]:
            tries = lab.client.tries(play.run, TASK)
            starts = [each.start_date.timestamp() for each in tries if each.try_number > 1 and each.start_date]
            begun = [start for start in starts if start > play.lost]  # until it starts, a try shows the one before
            if begun:
                play.wait = begun[0] - play.lost
                say(f"{TITLES[play.place]}: {play.variant.title}: {play.wait:.1f} s")
        return [play for play in plays if not play.wait]

    wait_until(unfinished, lambda left: not left, what="every run's next attempt", timeout=_LONGEST, interval=3.0)


def _read_reasons(lab: SpotLab, plays: Sequence[Play]) -> None:
    for play in plays:
        if play.variant is OURS:
            play.reason = str(lab.attempts(play.run, TASK)[0]["reason"])


def _tables(plays: Sequence[Play]) -> list[Table]:
    rows, reasons = [], []
    for place, title in TITLES.items():
        known = {play.variant: play for play in plays if play.place == place}
        waits = [f"{known[variant].wait:.1f}" if variant in known else "-" for variant in VARIANTS]
        plain, ours = known[PLAYED[place][0]], known[OURS]
        rows.append([title, *waits, f"{plain.wait / ours.wait:.0f} x"])
        reasons.append([title, ours.reason])
    columns = ["Lost", *(variant.title for variant in VARIANTS), "against plain"]
    return [
        Table(columns, rows, "Seconds until the next attempt runs"),
        Table(["Lost", "what is told of the attempt"], reasons),
    ]
