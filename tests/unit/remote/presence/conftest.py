# SPDX-License-Identifier: Apache-2.0
"""Attempts that are looked for."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.remote.presence import Life

if TYPE_CHECKING:
    from collections.abc import Callable

BEGUN = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def life() -> Callable[..., Life]:
    """``life("CeleryExecutor", instance_id="i-0abc")``: an attempt that began at noon."""

    def build(executor: str = "LocalExecutor", external_id: str | None = None, **where: Any) -> Life:
        return Life(executor, {name: str(value) for name, value in where.items()}, external_id, BEGUN)

    return build
