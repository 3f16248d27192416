# SPDX-License-Identifier: Apache-2.0
"""Troubles are told in full once, and counted after that."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from airflow_interruptible.server.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

WHAT = "An attempt could not be placed."


def test_a_store_that_is_down_does_not_fill_the_log(warnings_of: Callable[[], list[str]]) -> None:
    complaints = Complaints()
    for _ in range(100):
        complaints.tell(WHAT, ConnectionError("the store is down"))
    assert warnings_of() == [
        WHAT,
        f"{WHAT} That has happened 10 times: ConnectionError: the store is down",
        f"{WHAT} That has happened 100 times: ConnectionError: the store is down",
    ]


def test_another_trouble_is_told_in_full(warnings_of: Callable[[], list[str]]) -> None:
    complaints = Complaints()
    complaints.tell(WHAT, ValueError("one"))
    complaints.tell(WHAT, ValueError("another"))
    assert warnings_of() == [WHAT, WHAT]


def test_a_message_that_differs_each_time_does_not_fill_it_either(warnings_of: Callable[[], list[str]]) -> None:
    complaints = Complaints()
    for number in range(1000):
        complaints.tell(WHAT, ValueError(f"row {number}"))
    assert len(warnings_of()) < 60


def test_what_a_statement_wrote_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    wrote = {"value": " ".join(["A", "SECRET"])}  # a traceback shows this line
    wrapped = RuntimeError("could not be written")
    wrapped.__cause__ = OperationalError("UPDATE task_state_store SET value = %s", wrote, Exception("timeout"))
    with caplog.at_level(logging.DEBUG):
        complaints = Complaints()
        complaints.tell(WHAT, wrapped)
        complaints.tell(WHAT, wrapped)
    assert "UPDATE task_state_store" in caplog.text
    assert "A SECRET" not in caplog.text
