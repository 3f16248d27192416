# SPDX-License-Identifier: Apache-2.0
"""One real Airflow for each test module: ask for ``start_lab`` in a module-scoped fixture of your own.

::

    @pytest.fixture(scope="module")
    def lab(start_lab):
        return start_lab(Path(__file__).parent / "dags_mine", config={"scheduler": {...}})
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_interruptible.testing import SpotLab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StartLab(Protocol):
    """How a test module gets its lab."""

    def __call__(self, dags_folder: Path, **options: Any) -> SpotLab: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares a stack in one process of pytest-xdist: a module with a lab of its own, else the folder."""
    for item in items:
        if isinstance(item, pytest.Function) and "e2e" in item.path.parts:
            group = item.path if hasattr(item.module, "lab") else item.path.parent
            item.add_marker(pytest.mark.xdist_group(str(group)))


@pytest.fixture(scope="module")
def start_lab() -> Iterator[StartLab]:
    """Start labs that live until the last test of the module has run."""
    with ExitStack() as labs:

        def start(dags_folder: Path, **options: Any) -> SpotLab:
            return labs.enter_context(SpotLab(dags_folder, **options))

        yield start
