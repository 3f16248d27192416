# SPDX-License-Identifier: Apache-2.0
"""What every test needs before Airflow is imported: a home and a database of its own, nobody's settings.

Airflow reads its configuration at import and keeps it, so the environment is set here, at the top of the first file
that pytest loads. The database is always a throw-away one, whatever the caller's environment names: tests write to it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCRATCH = Path(tempfile.mkdtemp(prefix="airflow-interruptible-tests-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)


def _prepare_environment() -> None:
    for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
        del os.environ[name]
    os.environ.setdefault("AIRFLOW_HOME", str(_SCRATCH))
    os.environ.update(
        {
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(_SCRATCH / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_SCRATCH / 'airflow.db'}",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        }
    )


_prepare_environment()

# A machine that is busy with something else is no reason for a property to be false; and what is merged is judged by
# what has changed, not by luck. The search for more is that of `make chaos`, which sets INTERLEAVINGS.
hypothesis.settings.register_profile(
    "shared-machine",
    deadline=None,
    derandomize="INTERLEAVINGS" not in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("shared-machine")


class Configure(Protocol):
    """Set options of the ``[interruptible]`` section for one test."""

    def __call__(self, **options: str) -> None: ...


def _forget_settings() -> None:
    from airflow_interruptible.executor_names import _configured
    from airflow_interruptible.settings import get_settings

    get_settings.cache_clear()
    _configured.cache_clear()
    if (adoption := sys.modules.get("airflow_interruptible.policies.adoption")) is not None:
        adoption._settings_or_default.cache_clear()
        adoption._warn_once.cache_clear()


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    """Let no test see the settings that another one read."""
    _forget_settings()
    yield
    _forget_settings()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """``configure(compute="queue", ...)``: what airflow.cfg says in this test."""

    def set_options(**options: str) -> None:
        for key, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__INTERRUPTIBLE__{key.upper()}", value)
        _forget_settings()

    return set_options


@pytest.fixture
def executors(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let Airflow read ``[core] executor`` again, for this test only."""
    from airflow.executors import executor_loader

    for name in ("_alias_to_executors_per_team", "_module_to_executors_per_team", "_classname_to_executors_per_team"):
        monkeypatch.setattr(executor_loader, name, defaultdict(dict))
    monkeypatch.setattr(executor_loader, "_team_name_to_executors", defaultdict(list))
    monkeypatch.setattr(executor_loader, "_executor_names", [])
    return monkeypatch


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What this package has warned about so far."""

    def messages() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("airflow_interruptible") and record.levelname == "WARNING"
        ]

    return messages
