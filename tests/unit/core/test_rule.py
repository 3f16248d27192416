# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.evidence import Evidence, Fact
from airflow_interruptible.core.rule import Table, Test, says, words

rule = Table("ecs", ("ecs",), "https://example.org/doc")


def matches(test: Test, *values: Fact) -> bool:
    line = rule("line", {"code": test}, Cause.APPLICATION, "note")
    return line.match(Evidence("ecs", facts={"Code": values}), with_text=False) is not None


@pytest.mark.parametrize(
    ("test", "value", "passes"),
    [
        ("SpotInterruption", "spotinterruption", True),
        ("SpotInterruption", "SpotInterruptions", False),
        ("SpotInterruption", "SPOT_INTERRUPTION", True),
        ("NODE_FAIL", "NodeFail", True),
        (-1, 1, False),
        ("-103", 103, False),
        ("-103", -103, True),
        (137, "137", True),
        ("137", 137, True),
        ("True", True, True),
        (words("a b"), "B", True),
        (words("a b"), "c", False),
        (range(1, 3), 2, True),
        (range(1, 3), "2", True),
        (range(1, 3), 3, False),
        (range(1, 3), "\u0662", False),
        (range(1, 3), "9" * 5000, False),
        (says(r"gone\.?"), " Gone. ", True),
        (says(r"gone\.?"), "it is gone.", False),
        (says(r"\d+"), 137, False),
    ],
)
def test_what_passes(test: Test, value: Fact, passes: bool) -> None:
    assert matches(test, value) is passes


def test_one_value_of_many_is_enough() -> None:
    assert matches("OOMKilled", "Completed", "OOMKilled")


def test_either_field_will_do_and_the_observation_is_spelled_as_the_vendor_does() -> None:
    line = rule("line", {"stopCode | stop.code": "X"}, Cause.APPLICATION, "note")

    assert line.match(Evidence("ecs", facts={"stop.code": ("x",)}), with_text=False) == (("stop.code", "x"),)


def test_all_tests_must_pass() -> None:
    line = rule("line", {"a": "1", "b": "2"}, Cause.APPLICATION, "note")

    assert line.match(Evidence("ecs", facts={"a": ("1",)}), with_text=True) is None


def test_text_passes_only_where_text_counts() -> None:
    line = rule("line", {"(text)": says("gone")}, Cause.INFRASTRUCTURE, "note")

    assert line.match(Evidence("ecs", text="gone"), with_text=False) is None
    assert line.match(Evidence("ecs", text="gone"), with_text=True) == (("(text)", "gone"),)


def test_a_rule_without_a_test_is_refused() -> None:
    with pytest.raises(ValueError, match="ecs/all has no test"):
        rule("all", {}, Cause.APPLICATION, "note")
