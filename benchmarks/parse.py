# SPDX-License-Identifier: Apache-2.0
"""How long the Dag processor takes for a Dag of 1,000 tasks: without this package, with it, and annotated.

Each sample is a fresh process that does what the Dag processor's child does: import the file, then serialise.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.plain import Pythons
from benchmarks.section import Section, Table, typical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.section import Say

TASKS = 1000
ROUNDS = 9
_PROBE = Path(__file__).parent / "probes" / "parse.py"
_DAG = """
from airflow.sdk import dag, task

@dag(schedule=None, default_args={default_args})
def thousand():
    @{decorator}
    def work(number):
        return number

    for number in range({tasks}):
        work.override(task_id=f"work_{{number}}")(number)

thousand()
"""

_LAUNCHING = """
from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator
from airflow.sdk import dag

@dag(schedule=None, default_args={default_args})
def thousand():
    for number in range({tasks}):
        EcsRunTaskOperator(task_id=f"work_{{number}}", cluster="c", task_definition="d", overrides={{}})

thousand()
"""

_METHOD = f"""
Seconds of CPU time, medians of {ROUNDS} fresh processes each, taken in turn (lowest to highest). The file is imported
and its Dag serialised as by the Dag processor's child process; the start of the process is not counted, nor what the
Dag processor has loaded before it forks: this package is part of that, where it is installed. Plain Airflow
runs from a `site-packages` of links to everything but this package, so it has none of our entry points.
"""


@dataclass(frozen=True)
class Variant:
    """One way to have the Dag.

    :param ours: whether this package is installed.
    :param source: the Dag file.
    """

    name: str
    ours: bool
    decorator: str = "task"
    default_args: str = "{'retries': 2}"
    source: str = _DAG

    def dag(self) -> str:
        """Return the Dag file."""
        return self.source.format(decorator=self.decorator, default_args=self.default_args, tasks=TASKS)


PLAIN = Variant("plain Airflow, this package not installed", ours=False)
VARIANTS = (
    PLAIN,
    Variant("this package installed, the same Dag", ours=True),
    Variant(
        "stock `@task`, adopted: `default_args` say `interruptible`",
        True,
        "task",
        "{'retries': 2, 'interruptible': True}",
    ),
    Variant("`@task.interruptible`", True, "task.interruptible", "{'retries': 2, 'interruptible': True}"),
)
PLAIN_LAUNCHING = Variant("plain Airflow", ours=False, source=_LAUNCHING)
LAUNCHING = (
    PLAIN_LAUNCHING,
    Variant("this package installed, the same", ours=True, source=_LAUNCHING),
    Variant(
        "adopted: `default_args` say `interruptible`", True, "", "{'retries': 2, 'interruptible': True}", _LAUNCHING
    ),
)


def measure(say: Say) -> Section:
    """Parse each variant in turn, again and again, and compare the medians."""
    samples: dict[str, list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bench-parse-") as directory:
        home = Path(directory)
        pythons = Pythons(home)
        for number in range(ROUNDS):
            for index, variant in enumerate((*VARIANTS, *LAUNCHING)):
                samples[variant.name].append(_sample(variant, pythons, home / f"dags_{index}"))
            last = ", ".join(f"{_total(each[-1]):.2f} s" for each in samples.values())
            say(f"round {number + 1} of {ROUNDS}: {last}")
    tables = [
        _table("A Dag of 1,000 tasks", VARIANTS, samples),
        _table("A Dag of 1,000 EcsRunTaskOperators", LAUNCHING, samples),
    ]
    return Section(title="Parsing", method=_METHOD, tables=tables)


def _table(what: str, variants: Sequence[Variant], samples: Mapping[str, list[dict[str, float]]]) -> Table:
    """Compare variants with the first of them."""
    base = median(map(_total, samples[variants[0].name]))
    rows = [
        [
            variant.name,
            typical([each["parse"] for each in taken], ".2f"),
            typical([each["serialise"] for each in taken], ".2f"),
            f"{median(map(_total, taken)):.2f}",
            f"{median(map(_total, taken)) / base:.2f} x",
            f"{1000 * median(each['policy'] for each in taken):.1f}",
        ]
        for variant, taken in ((variant, samples[variant.name]) for variant in variants)
    ]
    return Table([what, "parse, s", "serialise, s", "both, s", "against plain", "in cluster policies, ms"], rows)


def _sample(variant: Variant, pythons: Pythons, folder: Path) -> dict[str, float]:
    folder.mkdir(exist_ok=True)
    file = folder / "thousand.py"
    file.write_text(variant.dag())
    taken: dict[str, float] = pythons.probe("parse", str(file), str(TASKS), ours=variant.ours)
    return taken


def _total(sample: dict[str, float]) -> float:
    return sample["parse"] + sample["serialise"]
