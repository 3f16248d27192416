# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from airflow_interruptible.core.evidence import MAX_TEXT, TEXT, Evidence, field_key


@pytest.mark.parametrize("spelling", ["stoppedReason", "stopped_reason", "Stopped-Reason", "stopped reason"])
def test_a_field_has_one_spelling(spelling: str) -> None:
    assert field_key(spelling) == "stoppedreason"


def test_no_payload_field_is_spelled_like_the_text() -> None:
    assert field_key("(text) ") != TEXT
    assert Evidence("ecs", facts={"text": ("Spot",)}).values(TEXT) == ()


def test_evidence_cannot_be_changed() -> None:
    evidence = Evidence("ecs", facts={"stopCode": ("SpotInterruption",)})

    with pytest.raises(FrozenInstanceError):
        evidence.service = "batch"  # type: ignore[misc]
    with pytest.raises(TypeError):
        evidence.facts["stopcode"] = ("UserInitiated",)  # type: ignore[index]


def test_hostile_values_are_cut_or_dropped() -> None:
    evidence = Evidence("ecs", facts={"code": ("x" * 10_000, 10**5000, 137, True)}, text="y" * 10_000)

    assert evidence.values("code") == ("x" * MAX_TEXT, 137, True)
    assert len(evidence.text) == MAX_TEXT


@pytest.mark.parametrize(
    ("names", "ran_on", "other"),
    [
        ({("vm", "a")}, {("vm", "b")}, ("vm", "a")),
        ({("vm", "a"), ("vm", "b")}, {("vm", "b")}, None),
        ({("vm", "a")}, {("node", "b")}, None),
        ({("vm", "a")}, set(), None),
        (set(), {("vm", "b")}, None),
    ],
)
def test_only_names_of_one_kind_can_disagree(
    names: set[tuple[str, str]], ran_on: set[tuple[str, str]], other: tuple[str, str] | None
) -> None:
    assert Evidence("aks", names=frozenset(names), ran_on=frozenset(ran_on)).another_machine == other
