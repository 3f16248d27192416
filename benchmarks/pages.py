# SPDX-License-Identifier: Apache-2.0
"""How long our pages take beside Airflow's own, with 100,000 attempts in PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from airflow_interruptible.testing import SpotLab
from benchmarks.section import Section, Table, typical
from tests.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.section import Say

ATTEMPTS = 100_000
ROUNDS = 15
FRESH = 5.0
_ROOT = Path(__file__).parent.parent
_DAGS = Path(__file__).parent / "dags_pages"
_TASK = "dag_id=pages_07&run_id=run-00011&task_id=task_3"
_PLAIN = {
    "task instances, 50 of all": "/api/v2/dags/~/dagRuns/~/taskInstances?limit=50",
    "Dag runs, 50 of all": "/api/v2/dags/~/dagRuns?limit=50",
    "grid of a Dag: structure": "/ui/grid/structure/pages_07?limit=25",
    "grid of a Dag: runs": "/ui/grid/runs/pages_07?limit=25",
    "tries of a task": "/api/v2/dags/pages_07/dagRuns/run-00011/taskInstances/task_3/tries",
}
_OURS = {
    "page Attempts": f"/interruptible/attempts?{_TASK}",
    "page Interruptions": "/interruptible/interruptions",
    "attempts of a task": f"/interruptible/api/attempts?{_TASK}",
    "report on all": "/interruptible/api/report",
    "report on a Dag": "/interruptible/api/report?dag_id=pages_07",
    "interruptions, 50 of all": "/interruptible/api/interruptions?limit=50",
    "interruptions, the last 50": "/interruptible/api/interruptions?limit=50&offset=39950",
}
_METHOD = f"""
{ATTEMPTS:,} attempts of 60,000 task instances of the last week in PostgreSQL, every one of them in the range that is
asked for. Requests over HTTP to one api-server with one worker, Airflow's own and ours in turn, {ROUNDS} times each,
more than {FRESH:.0f} s apart, so that the report is asked for while the database is asked what has changed. Medians
(lowest to highest).
"""


def measure(say: Say) -> Section:
    """Fill a database, and ask for pages."""
    with postgres() as url, SpotLab(_DAGS, sql_alchemy_conn=url, timeout=300) as lab:
        for number in range(20):
            lab.client.wait_for_dag(f"pages_{number:02}")
        say(f"fills the database: {_fill(lab)}")
        with httpx.Client(base_url=lab.stack.base_url, trust_env=False, timeout=60) as http:
            sign_in(http)
            calm = _calm(http)
            cold, complete, disturbance, more = _cold(lab, http)
            say(f"first report after a start: {cold:.2f} s, complete after {complete:.2f} s, {more:.0f} MB")
            taken = _warm(http, say)
    rows = [[kind, name, typical([1000 * s for s in taken[name]], ".0f")] for kind, name in _names()]
    first = [
        ["first report of an api-server", f"{1000 * cold:.0f}"],
        ["until it knew all attempts", f"{1000 * complete:.0f}"],
        ["slowest answer of Airflow's to somebody else meanwhile", f"{1000 * disturbance:.0f}"],
        ["slowest answer of Airflow's in the five seconds before", f"{1000 * calm:.0f}"],
    ]
    return Section(
        title="Pages with 100,000 attempts",
        method=_METHOD,
        tables=[
            Table(["", "request", "ms"], rows),
            Table(["once after its start", "ms"], first),
        ],
        notes=(f"An api-server that has read all of them is {more:.0f} MB bigger.",),
    )


def _names() -> list[tuple[str, str]]:
    return [("Airflow", name) for name in _PLAIN] + [("ours", name) for name in _OURS]


def _fill(lab: SpotLab) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.probes.pages", str(ATTEMPTS)],
        env={**lab.stack.env, "PYTHONPATH": f"{_ROOT}:{lab.stack.env.get('PYTHONPATH', '')}"},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the database cannot be filled:\n{done.stdout}{done.stderr}")
    return ", ".join(f"{count} {what}" for what, count in json.loads(done.stdout.splitlines()[-1]).items())


def sign_in(http: httpx.Client) -> None:
    """Make the client send a token."""
    token = http.get("/auth/token").raise_for_status().json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"


def _calm(http: httpx.Client) -> float:
    """Return the seconds of the slowest answer while nobody reads anything, after each page was asked for once."""
    for path in _PLAIN.values():
        _ask(http, path)
    with _others(http) as answers:
        time.sleep(5)
    return max(answers)


def _cold(lab: SpotLab, http: httpx.Client) -> tuple[float, float, float, float]:
    """Ask for a report as the first, until it is complete.

    Return the seconds of the first answer, of all of them, of the slowest answer to somebody else meanwhile, and the MB
    that it took.
    """
    before = _megabytes(lab)
    with _others(http) as answers:
        started = time.perf_counter()
        first = _ask(http, _OURS["report on all"])
        while not http.get(_OURS["report on all"]).json()["complete"]:
            time.sleep(0.5)  # as the page does
        complete = time.perf_counter() - started
    return first, complete, max(answers), _megabytes(lab) - before


@contextmanager
def _others(http: httpx.Client) -> Iterator[list[float]]:
    """Ask the API server something light again and again."""
    answers: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=http.base_url, headers=http.headers, trust_env=False, timeout=60) as mine:
            while not over.is_set():
                answers.append(_ask(mine, "/api/v2/version"))
                time.sleep(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield answers
    finally:
        over.set()
        asking.join()


def _megabytes(lab: SpotLab) -> float:
    server = psutil.Process(lab.stack.components["api-server"].pid)
    return max(process.memory_info().rss for process in [server, *server.children(recursive=True)]) / 1e6


def _warm(http: httpx.Client, say: Say) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for _, name in _names()}
    for number in range(ROUNDS):
        for name, path in {**_PLAIN, **_OURS}.items():
            if name == "report on all":
                time.sleep(FRESH + 0.2)
            taken[name].append(_ask(http, path))
        say(f"round {number + 1} of {ROUNDS}")
    return taken


def _ask(http: httpx.Client, path: str) -> float:
    started = time.perf_counter()
    http.get(path).raise_for_status()
    return time.perf_counter() - started
