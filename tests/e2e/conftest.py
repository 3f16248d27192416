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
from e2e.last_words import last_words
from waiting import UNHURRIED

from airflow_interruptible.testing import SpotLab

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent


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


_HOMES = pytest.StashKey[list[Path]]()
"""Where the stacks live that were started for the tests of this process."""


def pytest_configure(config: pytest.Config) -> None:
    """Know of no stack yet."""
    config.stash[_HOMES] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that fails where nobody can look say what its tasks logged."""
    report = yield
    if report.failed:
        homes = [home for home in item.config.stash[_HOMES] if home.exists()]
        report.sections += [(f"logs in {home}", last_words(home, report.longreprtext)) for home in homes]
    return report


@pytest.fixture(scope="session")
def remember(pytestconfig: pytest.Config) -> Callable[[SpotLab], SpotLab]:
    """Remember a stack, for the report of a test that fails."""

    def note(lab: SpotLab) -> SpotLab:
        pytestconfig.stash[_HOMES].append(lab.stack.home)
        return lab

    return note


@pytest.fixture(scope="module")
def start_lab(remember: Callable[[SpotLab], SpotLab]) -> Iterator[StartLab]:
    """Start labs that live until the last test of the module has run."""
    with ExitStack() as labs:

        def start(dags_folder: Path, **options: Any) -> SpotLab:
            config = options.pop("config", {})
            scheduler = {**UNHURRIED, **config.get("scheduler", {})}
            lab = SpotLab(dags_folder, config={**config, "scheduler": scheduler}, **options)
            return remember(labs.enter_context(lab))

        yield start
