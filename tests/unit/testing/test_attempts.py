# SPDX-License-Identifier: Apache-2.0
"""What the reader of attempts says when it cannot read; that it reads is what tests/e2e is for."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from airflow_interruptible.testing.attempts import AttemptsReader
from airflow_interruptible.testing.errors import LabError
from airflow_interruptible.testing.stack import AirflowStack

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"fit": ("train", "fit", "monday", -1)}


def test_why_it_cannot_read_is_told_and_it_can_be_asked_again(tmp_path: Path) -> None:
    """This stack never came up, so it has no database."""
    with closing(AttemptsReader(AirflowStack(tmp_path, home=tmp_path))) as reader:
        for _ in range(2):
            with pytest.raises(LabError, match="no such table"):
                reader.read(KEYS)


def test_a_process_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with closing(AttemptsReader(AirflowStack(tmp_path, home=tmp_path), timeout=0)) as reader:
        with pytest.raises(LabError, match=r"no answer within 0 s, see .*attempts\.log"):
            reader.read(KEYS)
        assert reader._process is None
