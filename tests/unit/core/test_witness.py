# SPDX-License-Identifier: Apache-2.0
"""One conclusion from all who saw an attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.budget import Account, Budget
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.history import NO_TRACE, History, Trace
from airflow_interruptible.core.verdict import decide
from airflow_interruptible.core.witness import NOT_WRITTEN, WITHOUT_US, Row, observed, why_unknown

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
STARTED = Trace(SPOT)
capacities, causes = st.sampled_from(CapacityType), st.sampled_from(Cause)
traces = st.none() | st.builds(Trace, st.none() | capacities, st.none() | causes, st.booleans(), st.booleans())
rows = st.none() | st.builds(Row, st.booleans(), st.none() | st.text(max_size=20), st.booleans())


@given(capacities, causes, st.integers(0, 20), st.text(max_size=30), st.booleans())
def test_our_own_report_is_read_back(
    capacity: CapacityType, cause: Cause, base: int, evidence: str, kept: bool
) -> None:
    """Whatever the ledger lacks, the sentence that Airflow keeps names the cause."""
    verdict = decide(History(True, Account(Budget(1, 1)), base), Trace(capacity, cause), evidence)
    trace = Trace(capacity) if kept else None
    assert observed(base + 1, trace, Row(began=True, reason=verdict.reason, reported=True)).cause is cause


@given(st.integers(1, 5), traces, rows)
def test_nobody_s_word_makes_a_system_failure_of_silence(number: int, trace: Trace | None, row: Row | None) -> None:
    """A row can only say more than the ledger where ours reported; else what it adds is unknown."""
    found = observed(number, trace, row)
    known = (trace or NO_TRACE).cause
    assert found.cause is known or found.cause is Cause.UNKNOWN


@given(st.integers(1, 5), traces.filter(lambda trace: trace is not None and trace.cause is not None), rows)
def test_what_the_ledger_names_is_believed(number: int, trace: Trace, row: Row | None) -> None:
    assert observed(number, trace, row) == trace


@pytest.mark.parametrize(
    ("trace", "row", "cause", "charge"),
    [
        (None, None, Cause.INFRASTRUCTURE, Charge.SYSTEM),  # lost before it began
        (None, Row(began=False), Cause.INFRASTRUCTURE, Charge.SYSTEM),
        (None, Row(began=True), Cause.UNKNOWN, Charge.USER),  # a worker without this package
        (None, Row(began=True, reported=True), Cause.UNKNOWN, Charge.USER),
        (None, Row(began=True, reason="rate limit"), Cause.UNKNOWN, Charge.USER),
        (STARTED, Row(began=True), Cause.SPOT_INTERRUPTION, Charge.SYSTEM),  # vanished
        (STARTED, Row(began=True, reported=True), Cause.UNKNOWN, Charge.USER),  # reported, not recorded
        (Trace(ON_DEMAND), Row(began=True), Cause.UNKNOWN, Charge.USER),
        (Trace(ON_DEMAND, told=True), Row(began=True), Cause.INFRASTRUCTURE, Charge.SYSTEM),
        (Trace(SPOT, told=True), Row(began=True, reported=True), Cause.SPOT_INTERRUPTION, Charge.SYSTEM),
        (NO_TRACE, Row(began=False), Cause.INFRASTRUCTURE, Charge.SYSTEM),
    ],
)
def test_the_table(trace: Trace | None, row: Row | None, cause: Cause, charge: Charge) -> None:
    attempt = History(True, Account(Budget(2, 3))).after(observed(1, trace, row)).attempts[0]
    assert (attempt.cause, attempt.charge) == (cause, charge)


def test_a_sentence_about_another_attempt_says_nothing() -> None:
    row = Row(began=True, reason="attempt 2 on spot interrupted (SIGTERM); forgiven: system retry 1 of 3")
    assert observed(1, None, row).cause is Cause.UNKNOWN


def test_why_nothing_is_known() -> None:
    assert why_unknown(None) == why_unknown(NO_TRACE) == WITHOUT_US
    assert why_unknown(STARTED) == NOT_WRITTEN
