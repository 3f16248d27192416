# SPDX-License-Identifier: Apache-2.0
"""The demo's verdict on itself: what must break it does, and its script follows the rule of the package."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.plan import simulate
from airflow_interruptible.testing.demo.contract import Seen, faults, promises
from airflow_interruptible.testing.demo.screen import Screen, Tone
from airflow_interruptible.testing.demo.script import SCRIPT, Part, conf

SYSTEM_RETRIES = {"validate": 2, "train": 3, "release": 3}


def kept(part: Part) -> Seen:
    """Return what is seen of a part when everything goes as it should."""
    attempts = [attempt(part, number) for number in range(1, len(part.capacities) + 1)]
    return Seen(attempts, part.capacities)


def attempt(part: Part, number: int) -> dict[str, Any]:
    charge = "system" if number in part.blows else "user" if number == part.bug else "none"
    spent = part.bug is not None and number >= part.bug
    return {
        "attempt": number,
        "state": "success" if charge == "none" else "failed",
        "capacity": part.capacities[number - 1].value,
        "charge": charge,
        "user_retries_left": part.user_retries - spent,
    }


def everything_kept() -> dict[str, Seen]:
    return {part.name: kept(part) for part in SCRIPT}


def with_attempt(name: str, number: int, **changes: Any) -> dict[str, Seen]:
    seen = everything_kept()
    attempts = list(seen[name].attempts)
    attempts[number - 1] = {**attempts[number - 1], **changes}
    return {**seen, name: replace(seen[name], attempts=attempts)}


def test_a_kept_contract_has_no_faults() -> None:
    assert faults(SCRIPT, "success", everything_kept()) == []


def test_the_promises_count_what_the_script_does() -> None:
    text = "\n".join(promises(SCRIPT))
    assert "6 machines were taken away" in text
    assert "2 bugs" in text
    assert "validate[1], validate[2], train had the last attempt on demand" in text


def test_a_failed_run_breaks_it() -> None:
    assert faults(SCRIPT, "failed", everything_kept()) == ["the run ended as failed"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"state": "success"}, "train: attempt 1 was interrupted and yet ended as success"),
        ({"charge": "user"}, "train: attempt 1 was interrupted and charged to user, not to system"),
        ({"charge": None}, "train: attempt 1 was interrupted and charged to None, not to system"),
    ],
)
def test_an_interruption_that_is_misjudged_breaks_it(changes: dict[str, Any], fault: str) -> None:
    assert faults(SCRIPT, "success", with_attempt("train", 1, **changes)) == [fault]


def test_a_user_retry_spent_breaks_it() -> None:
    assert faults(SCRIPT, "success", with_attempt("train", 5, user_retries_left=0)) == [
        "train: 0 of 2 user retries are left, 1 should be"
    ]


def test_a_last_attempt_on_spot_breaks_it() -> None:
    assert faults(SCRIPT, "success", with_attempt("train", 5, capacity="spot")) == [
        "train: its attempts ran on spot, spot, spot, spot, spot; due was spot, spot, spot, spot, on-demand"
    ]


def test_a_rest_api_that_shows_something_else_breaks_it() -> None:
    seen = everything_kept()
    seen["release"] = replace(seen["release"], tries=[None])
    assert faults(SCRIPT, "success", seen) == ["release: the REST API shows its tries on nothing; due was on-demand"]


def test_a_history_that_is_not_there_breaks_it() -> None:
    seen = {**everything_kept(), "validate[0]": Seen([], [])}
    found = faults(SCRIPT, "success", seen)
    assert "validate[0]: attempt 1, which was interrupted, is not in the history" in found
    assert "validate[0]: its last attempt ended as None, not as success" in found


@pytest.mark.parametrize("part", SCRIPT, ids=lambda part: part.name)
def test_the_script_is_what_the_rule_makes_of_it(part: Part) -> None:
    endings = [Ending.SUCCESS] * len(part.capacities)
    for number in part.blows:
        endings[number - 1] = Ending.INTERRUPTION
    if part.bug is not None:
        endings[part.bug - 1] = Ending.APPLICATION
    budget = Budget(part.user_retries, SYSTEM_RETRIES[part.task_id])
    planned = simulate(budget, part.task_id != "release", endings)
    assert tuple(each.capacity for each in planned.attempts) == part.capacities
    assert planned.final == "success"


def test_the_run_is_told_which_attempts_fail() -> None:
    assert conf(SCRIPT)["bugs"] == {"validate[2]": 1, "train": 3}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "coloured"), [(io.StringIO(), False), (_Terminal(), True)])
def test_colours_are_for_terminals(stream: io.StringIO, coloured: bool) -> None:
    Screen(stream).event("train", "loses its machine", Tone.LOST)
    assert "loses its machine" in stream.getvalue()
    assert ("\x1b[" in stream.getvalue()) is coloured


def test_parts_are_named_as_people_know_them() -> None:
    assert [part.name for part in SCRIPT] == ["validate[0]", "validate[1]", "validate[2]", "train", "release"]
    assert Part("work", 0, (CapacityType.SPOT,), map_index=0).key == ("work", 0)
