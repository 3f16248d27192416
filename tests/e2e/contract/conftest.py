"""One stack for every module in this folder, gone after the last: SQLite, LocalExecutor, defaults but for the pace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from waiting import UNHURRIED

from airflow_interruptible.testing import SpotLab

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = {
    "core": {"task_success_overtime": 240},  # what is done after a success waits for a busy api-server
    "scheduler": UNHURRIED,
    "interruptible": {"system_retry_delay": 0.5},
}


@pytest.fixture(scope="package")
def lab() -> Iterator[SpotLab]:
    """The stack."""
    with SpotLab(Path(__file__).parent / "dags", config=CONFIG, triggerer=True) as running:
        yield running
