# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import MAX_REASON, classify
from airflow_interruptible.core.evidence import Evidence
from airflow_interruptible.core.rule import Table, says
from airflow_interruptible.rules import DEFAULT_RULES

rule = Table("ecs", ("ecs",), "https://example.org/doc")

OOM = rule("oom", {"reason": "OutOfMemory"}, Cause.APPLICATION, "out of memory")
SPOT = rule("gone-on-spot", {"code": "Gone"}, Cause.SPOT_INTERRUPTION, "spot gone", needs=CapacityType.SPOT)
GONE = rule("gone", {"code": "Gone"}, Cause.INFRASTRUCTURE, "gone")
LOG = rule("log", {"(text)": says("spot gone")}, Cause.SPOT_INTERRUPTION, "the log says so")
RULES = (OOM, SPOT, GONE, LOG)

HOST_GONE = Evidence("ecs", facts={"code": ("Gone",)})


def test_the_first_rule_that_matches_decides_and_says_what_was_observed() -> None:
    answer = classify(HOST_GONE, RULES)

    assert (answer.cause, answer.rule, answer.source) == (Cause.INFRASTRUCTURE, "ecs/gone", "https://example.org/doc")
    assert answer.reason == "gone (code: Gone)"


def test_the_second_witness_changes_the_answer_and_the_answer_says_so_beforehand() -> None:
    without, with_it = classify(HOST_GONE, RULES), classify(replace(HOST_GONE, capacity=CapacityType.SPOT), RULES)

    assert with_it.cause is Cause.SPOT_INTERRUPTION
    assert with_it.reason == "spot gone (code: Gone, capacity: spot)"
    assert without.otherwise == (
        "spot_interruption by ecs/gone-on-spot, had the attempt been known to run on spot capacity",
    )


def test_what_stands_below_is_named_too() -> None:
    both = Evidence("ecs", facts={"code": ("Gone",), "reason": ("OutOfMemory",)})

    answer = classify(both, RULES)

    assert answer.cause is Cause.APPLICATION
    assert "infrastructure by ecs/gone, had ecs/oom not been stronger" in answer.otherwise


def test_a_log_line_decides_where_no_status_is_known() -> None:
    assert classify(Evidence("ecs", text="spot gone"), RULES).rule == "ecs/log"


@pytest.mark.parametrize("status", ["Gone", "SomethingNew"])
def test_a_log_line_never_overrules_a_status(status: str) -> None:
    evidence = Evidence("ecs", facts={"code": (status,)}, text="spot gone")

    assert classify(evidence, RULES).cause is not Cause.SPOT_INTERRUPTION


def test_words_alone_do_not_decide() -> None:
    answer = classify(Evidence("ecs", text="I think the spot gone message was preempted"), RULES)

    assert (answer.cause, answer.rule) == (Cause.UNKNOWN, None)
    assert "words" in answer.reason


def test_what_comes_after_success_is_nothing() -> None:
    answer = classify(replace(HOST_GONE, succeeded=True), RULES)

    assert (answer.cause, answer.rule) == (Cause.UNKNOWN, None)
    assert "already succeeded" in answer.reason


def test_what_names_another_machine_is_nothing() -> None:
    elsewhere = replace(HOST_GONE, names=frozenset({("vm", "a")}), ran_on=frozenset({("vm", "b")}))

    answer = classify(elsewhere, RULES)

    assert (answer.cause, answer.rule) == (Cause.UNKNOWN, None)
    assert "vm a" in answer.reason


def test_an_unknown_service_is_named() -> None:
    assert "'nomad'" in classify(Evidence("nomad", facts={"code": ("Gone",)}), RULES).reason


def test_a_reason_fits_where_airflow_stores_it() -> None:
    long = Evidence("ecs", facts={"code": ("Gone",), "reason": ("OutOfMemory" + "!" * 4000,)}, text="x" * 4000)

    assert len(classify(replace(long, service="y" * 5000), RULES).reason) <= MAX_REASON
    assert len(classify(long, RULES).reason) <= MAX_REASON


facts = st.dictionaries(
    st.text() | st.sampled_from(["stopCode", "reason", "exitCode", "code", "message", "(text)"]),
    st.lists(st.text() | st.integers() | st.booleans(), max_size=3).map(tuple),
)
evidence = st.builds(
    Evidence,
    service=st.text() | st.sampled_from(sorted({name for line in DEFAULT_RULES for name in line.services})),
    surface=st.text(),
    facts=facts,
    text=st.text(),
    capacity=st.none() | st.sampled_from(CapacityType),
    names=st.frozensets(st.tuples(st.text(), st.text()), max_size=2),
    ran_on=st.frozensets(st.tuples(st.text(), st.text()), max_size=2),
    succeeded=st.booleans(),
)


@given(evidence)
def test_classification_is_total_and_repeatable(any_evidence: Evidence) -> None:
    answer = classify(any_evidence, DEFAULT_RULES)

    assert isinstance(answer.cause, Cause)
    assert len(answer.reason) <= MAX_REASON
    assert answer == classify(any_evidence, DEFAULT_RULES)
