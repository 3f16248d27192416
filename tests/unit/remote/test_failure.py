# SPDX-License-Identifier: Apache-2.0
"""Who raised an exception, and what an operator left in it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.remote.failure import Failure, raised_in, spoken_by_airflow


def test_the_innermost_frame_says_who_raised_it(raised: Any) -> None:
    assert raised_in(raised("my_dag.tasks", ValueError())) == "my_dag.tasks"
    assert raised_in(ValueError()) == ""


def called_by(module: str, callee: Any) -> BaseException:
    try:
        exec("callee()", {"__name__": module, "callee": callee})
    except Exception as error:
        return error
    raise AssertionError


def client_error() -> Any:
    scope: dict[str, Any] = {"__name__": "botocore.client"}
    exec("def call(): raise ValueError('refused')", scope)
    return scope["call"]


def test_a_vendors_client_speaks_for_whoever_called_it() -> None:
    assert spoken_by_airflow(called_by("airflow.providers.amazon", client_error()))
    assert not spoken_by_airflow(called_by("my_dag", client_error()))
    assert not spoken_by_airflow(called_by("airflow_mine", client_error()))


@pytest.mark.parametrize(
    ("module", "text", "event"),
    [
        (
            "airflow.providers.amazon",
            "Error while running job: {'status': 'error', 'job_id': 'j'}",
            {"status": "error", "job_id": "j"},
        ),
        ("airflow.providers.google", "Job j failed:\n{'reference': {'job_id': 'j'}}", {"reference": {"job_id": "j"}}),
        ("airflow.providers.amazon", "no event", {}),
        ("airflow.providers.amazon", "a set: {1, 2}", {}),
        ("airflow.providers.amazon", "cut {'a': ", {}),
        ("my_dag", "Error while running job: {'job_id': 'another'}", {}),
    ],
)
def test_the_event_in_an_operators_own_message(module: str, text: str, event: Any, raised: Any) -> None:
    assert Failure(None, raised(module, RuntimeError(text)), {}).event == event


def test_the_chain_ends_where_the_author_begins(raised: Any) -> None:
    ours = raised("airflow.x", ValueError(), raised("my_dag", KeyError(), raised("airflow.y", OSError())))
    assert [type(error) for error in Failure(None, ours, {}).chain()] == [ValueError]


def test_a_job_from_before_the_attempt_is_another_one(context: dict[str, Any]) -> None:
    failure = Failure(None, ValueError(), context)
    begun = context["ti"].start_date

    assert failure.saw(begun + timedelta(seconds=1))
    assert failure.saw(begun - timedelta(minutes=1))
    assert failure.saw("2026-01-01T12:00:01.123456789Z")
    assert failure.saw(None)
    assert not failure.saw(begun - timedelta(hours=1))
    assert not failure.saw("2026-01-01T10:00:00Z")
    assert Failure(None, ValueError(), {"ti": SimpleNamespace()}).saw(begun)
