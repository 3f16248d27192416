# SPDX-License-Identifier: Apache-2.0
"""One real Airflow for each test module: ask for ``start_lab`` in a module-scoped fixture of your own.

::

    @pytest.fixture(scope="module")
    def lab(start_lab):
        return start_lab(Path(__file__).parent / "dags_mine", config={"scheduler": {...}})
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_interruptible.testing import SpotLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent

UNHURRIED = {"task_instance_heartbeat_timeout": 30}
"""``[scheduler]``: a stall of a busy machine is shorter. Where a machine dies without a word, a test may say less."""


class StartLab(Protocol):
    """How a test module gets its lab."""

    def __call__(self, dags_folder: Path, **options: Any) -> SpotLab: ...


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep what shares a stack in one process of pytest-xdist: the folder, where that has a conftest, else the module.

    Not by ``xdist_group``: pytest 9.2 no longer lets pytest-xdist 3.8 put the group into a test's id.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByStack(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = config.rootpath / nodeid.partition("::")[0]
            shared = module.parent != HERE and (module.parent / "conftest.py").exists()
            return str(module.parent if shared else module)

    return ByStack(config, log)


@pytest.fixture(scope="module")
def start_lab() -> Iterator[StartLab]:
    """Start labs that live until the last test of the module has run."""
    with ExitStack() as labs:

        def start(dags_folder: Path, **options: Any) -> SpotLab:
            config = options.pop("config", {})
            scheduler = {**UNHURRIED, **config.get("scheduler", {})}
            return labs.enter_context(SpotLab(dags_folder, config={**config, "scheduler": scheduler}, **options))

        yield start
