# SPDX-License-Identifier: Apache-2.0
"""First value that is not None wins; a teardown asks only its own argument."""

from __future__ import annotations

from itertools import combinations

import pytest

from airflow_interruptible.core.precedence import Level, Resolution, checked, resolve

STATED = [level for level in Level if level not in (Level.ANNOTATION, Level.BUILT_IN)]


def test_the_order_is_the_one_of_the_contract() -> None:
    assert STATED == [Level.RUN, Level.OVERRIDE, Level.TASK, Level.TASK_GROUP, Level.DAG, Level.CONFIG]


@pytest.mark.parametrize(("strong", "weak"), list(combinations(STATED, 2)))
@pytest.mark.parametrize("value", [True, False])
def test_the_stronger_level_wins(strong: Level, weak: Level, value: bool) -> None:
    assert resolve({weak: not value, strong: value}) == Resolution(value, strong)


@pytest.mark.parametrize(("strong", "weak"), list(combinations(STATED, 2)))
def test_none_inherits(strong: Level, weak: Level) -> None:
    assert resolve({strong: None, weak: True}) == Resolution(interruptible=True, level=weak)


@pytest.mark.parametrize("values", [{}, dict.fromkeys(STATED)])
def test_nobody_said_anything(values: dict[Level, bool | None]) -> None:
    assert resolve(values) == Resolution(interruptible=False, level=Level.BUILT_IN)


@pytest.mark.parametrize("values", [{}, dict.fromkeys(STATED)])
def test_who_wrote_the_word_and_nothing_else_means_it(values: dict[Level, bool | None]) -> None:
    assert resolve(values, annotated=True) == Resolution(interruptible=True, level=Level.ANNOTATION)


@pytest.mark.parametrize("level", STATED)
def test_any_level_stands_above_the_annotation(level: Level) -> None:
    assert resolve({level: False}, annotated=True) == Resolution(interruptible=False, level=level)


@pytest.mark.parametrize("annotated", [True, False])
@pytest.mark.parametrize("level", [Level.TASK_GROUP, Level.DAG, Level.CONFIG, Level.RUN])
def test_a_teardown_inherits_nothing(level: Level, annotated: bool) -> None:
    assert resolve({level: True}, teardown=True, annotated=annotated) == Resolution(
        interruptible=False, level=Level.BUILT_IN
    )


@pytest.mark.parametrize("level", [Level.TASK, Level.OVERRIDE])
def test_a_teardown_may_ask_for_spot_itself(level: Level) -> None:
    assert resolve({level: True, Level.DAG: False}, teardown=True) == Resolution(interruptible=True, level=level)


@pytest.mark.parametrize("level", [Level.TASK, Level.OVERRIDE])
def test_a_teardown_that_says_no_stays_on_demand_whatever_the_run_says(level: Level) -> None:
    assert not resolve({level: False, Level.RUN: True}, teardown=True).interruptible


def test_a_run_may_still_move_a_teardown_to_on_demand() -> None:
    assert resolve({Level.TASK: True, Level.RUN: False}, teardown=True) == Resolution(
        interruptible=False, level=Level.RUN
    )


@pytest.mark.parametrize("value", [True, False, None])
def test_checked_lets_the_three_values_through(value: bool | None) -> None:
    assert checked(value, Level.TASK) is value


@pytest.mark.parametrize("value", ["true", "false", "", 0, 1, 1.0, [], {}, object()])
@pytest.mark.parametrize("level", STATED)
def test_checked_refuses_anything_else(value: object, level: Level) -> None:
    with pytest.raises(TypeError, match="interruptible must be True, False or None") as raised:
        checked(value, level)
    message = str(raised.value)
    what, why, way_out = message.split(". ", 2)
    assert level.value in what
    assert repr(value) in what
    assert "guessing" in why
    assert way_out.startswith("Write True")
