# SPDX-License-Identifier: Apache-2.0
"""The sentence for a run."""

from __future__ import annotations

from typing import Any

from airflow_interruptible.report.run import Instance, sentence


def instance(**said: Any) -> Instance:
    plain: dict[str, Any] = {
        "task_id": "fit", "map_index": -1, "state": "success", "attempts": 1, "causes": {}, "interruptions": 0,
        "charged": 0, "lost_seconds": 0.0, "capacity": "spot", "running": False,
    }  # fmt: skip
    return Instance(**{**plain, **said})


def test_a_run_without_tasks_of_ours() -> None:
    assert sentence([]) == "No interruptible task of this run has begun yet."


def test_a_run_that_was_left_in_peace() -> None:
    assert sentence([instance(), instance()]) == "None of 2 task instances was interrupted."


def test_everything_at_once() -> None:
    hit = instance(interruptions=3, lost_seconds=9000.0, causes={"application": 1}, state="failed", map_index=4)
    assert sentence([hit, instance(), instance(running=True)]) == (
        "3 interruptions hit 1 of 3 task instances; 2.5 hours of work were lost; 1 attempt failed by its own error; "
        "failed: fit [4]; 1 on spot now."
    )


def test_a_long_list_of_failures_is_cut() -> None:
    failed = [instance(state="failed", map_index=number) for number in range(9)]
    assert "failed: fit [0], fit [1], fit [2] and 6 more." in sentence(failed)
