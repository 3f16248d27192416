# SPDX-License-Identifier: Apache-2.0
"""Run by the older Airflow: runs that are not over when it is shut down for good.

``python before_upgrade.py HOME`` leaves, in the database of an Airflow whose home is ``HOME``:

| run     | Dag      | what has happened to its task                                                        |
| pending | u2_s3    | interrupted twice; its third attempt is to come, and its Dag is paused               |
| lost    | u1_s3    | interrupted once; its second attempt dies with the scheduler; Dag paused            |
| mapped  | mapped   | index 1 was interrupted once; its second attempt is to come, and its Dag is paused   |
| spent   | u2_s0    | failed three times, as the author allowed                                            |
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from e2e.contract.play import TASK, take_away, wait_for_log

from airflow_interruptible.testing import SpotLab

if TYPE_CHECKING:
    from airflow_interruptible.testing import DagRun

DAGS = Path(__file__).parents[1] / "e2e" / "contract" / "dags"


def pause(lab: SpotLab, dag_id: str, paused: bool = True) -> None:
    """Let the scheduler begin nothing of a Dag, or again what it has to."""
    lab.client.request("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})


def _trigger(lab: SpotLab, dag_id: str, run_id: str, conf: dict[str, object]) -> DagRun:
    lab.client.wait_for_dag(dag_id)
    return lab.client.trigger(dag_id, conf, run_id)


def _pending(lab: SpotLab) -> None:
    run = _trigger(lab, "u2_s3", "pending", {"script": {"1": "wait", "2": "wait"}})
    take_away(lab, run, 1)
    _take_the_last_away(lab, run, 2)


def _lost(lab: SpotLab) -> None:
    run = _trigger(lab, "u1_s3", "lost", {"script": {"1": "wait", "2": "wait"}})
    take_away(lab, run, 1)
    lab.wait_until_running(run, TASK, try_number=2)
    wait_for_log(lab, run, TASK, 2, "plays")
    pause(lab, run.dag_id)


def _mapped(lab: SpotLab) -> None:
    run = _trigger(lab, "mapped", "mapped", {"scripts": [{}, {"1": "wait"}, {}]})
    lab.wait_until_running(run, TASK, map_index=1)
    for index in (0, 2):
        lab.client.wait_for_state(run, TASK, "success", map_index=index)
    _take_the_last_away(lab, run, 1, map_index=1)


def _spent(lab: SpotLab) -> None:
    run = _trigger(lab, "u2_s0", "spent", {"script": {"1": "error", "2": "error", "3": "error"}})
    lab.client.wait_for_run(run)


def _take_the_last_away(lab: SpotLab, run: DagRun, number: int, map_index: int = -1) -> None:
    lab.wait_until_running(run, TASK, try_number=number, map_index=map_index)
    pause(lab, run.dag_id)
    lab.reclaim(run, TASK, grace=30, map_index=map_index)
    lab.client.wait_for_state(run, TASK, "up_for_retry", map_index=map_index)


def main(home: str) -> None:
    """Play all of them, and let the machine of the scheduler die."""
    with SpotLab(DAGS, home=home, config={"interruptible": {"system_retry_delay": 0.5}}) as lab:
        for prepare in (_spent, _pending, _mapped, _lost):
            prepare(lab)
        lab.stack.kill("scheduler")


if __name__ == "__main__":
    main(sys.argv[1])
