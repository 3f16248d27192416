# SPDX-License-Identifier: Apache-2.0
"""The author's error in one line: masked, printable, cut; and what cannot be told costs nothing."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from airflow.sdk._shared.secrets_masker import _secrets_masker, mask_secret
from hypothesis import given
from hypothesis import strategies as st

from airflow_interruptible.worker.error_line import LIMIT, error_line


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.fixture
def _secret() -> None:
    mask_secret("hunter2-and-more")
    assert _secrets_masker().replacer is not None


def test_it_is_the_last_line_of_the_traceback() -> None:
    with pytest.raises(ValueError, match="2026-13-01") as caught:
        datetime.strptime("2026-13-01", "%Y-%m-%d")
    assert error_line(caught.value) == "ValueError: time data '2026-13-01' does not match format '%Y-%m-%d'"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError(), "ValueError"),
        (KeyError("a"), "KeyError: 'a'"),
        (SystemExit(3), "SystemExit: 3"),
        (RuntimeError("one\n  two\r\n\x1b[31mthree\x00"), "RuntimeError: one two [31mthree"),
        (HostileError(), "HostileError"),
        (RuntimeError("half \ud800 a pair"), "RuntimeError: half a pair"),
    ],
)
def test_it_is_one_printable_line(error: BaseException, line: str) -> None:
    assert error_line(error) == line


@pytest.mark.usefixtures("_secret")
def test_secrets_are_masked_as_in_the_log_wherever_it_is_cut() -> None:
    assert error_line(ValueError("password hunter2-and-more refused")) == "ValueError: password *** refused"
    for padding in range(LIMIT - 40, LIMIT + 10):
        assert "hunter" not in error_line(ValueError("x" * padding + " hunter2-and-more"))


def test_without_airflows_mask_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("airflow.sdk._shared.secrets_masker.redact")
    assert error_line(ValueError("password")) == "ValueError"


@given(st.text(max_size=2 * LIMIT))
def test_it_is_bounded_and_can_be_sent(text: str) -> None:
    line = error_line(ValueError(text))
    assert len(line) <= LIMIT
    assert line.isprintable()
    assert json.loads(json.dumps(line).encode()) == line
