# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.classification import classify
from airflow_interruptible.core.raised import read_exception
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES

SPOT_TASK = "This task is not in success state {'stopCode': 'SpotInterruption'}"
VOCABULARY = (
    "Host EC2 (instance i-0abc) terminated.",
    "preempted",
    "Spot",
    SPOT_TASK,
    "Pod failed because of NodeLost",
)


def cause(message: str, raised_in: str) -> Cause:
    evidence = read_exception("airflow.exceptions.AirflowException", message, raised_in, surfaces=DEFAULT_SURFACES)
    return classify(evidence, DEFAULT_RULES).cause


def test_what_a_provider_raises_is_read() -> None:
    assert cause(SPOT_TASK, "airflow.providers.amazon.aws.operators.ecs") is Cause.SPOT_INTERRUPTION


@pytest.mark.parametrize("raised_in", ["", "dags.train", "airflowish.utils"])
@pytest.mark.parametrize("message", VOCABULARY)
def test_what_user_code_raises_is_not_even_word_for_word(message: str, raised_in: str) -> None:
    assert cause(message, raised_in).charge is Charge.USER


@given(st.lists(st.sampled_from(VOCABULARY) | st.text(max_size=10), min_size=2).map(" ".join))
def test_spot_vocabulary_in_any_order_is_the_authors_even_through_airflow(message: str) -> None:
    assert cause(f"error: {message}", "airflow.providers.standard.operators.python").charge is Charge.USER
