# SPDX-License-Identifier: Apache-2.0
"""A supervisor that keeps signals to itself, as Airflow's from 3.4 on, passes them on to interruptible tasks."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from airflow_interruptible.worker import warm_shutdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "airflow.sdk.execution_time.coordinator"


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Airflow's module, as it is in 3.4, in this process."""
    found: Any = ModuleType(NAME)
    found.heard = []

    @contextmanager
    def _warm_shutdown_signals() -> Iterator[None]:
        before = [signal.signal(n, lambda signum, _: found.heard.append(signum)) for n in (15, 2)]
        try:
            yield
        finally:
            for n, handler in zip((15, 2), before, strict=True):
                signal.signal(n, handler)

    found._warm_shutdown_signals = _warm_shutdown_signals
    monkeypatch.setitem(sys.modules, NAME, found)
    warm_shutdown.install()
    return found


def fork(work: Callable[[], int]) -> int:
    """Run ``work`` as the task's process."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return child


def code_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def interruptible(marks: Path) -> int:
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: heard.append(signum))
    if warm_shutdown.begin():
        return 7
    (marks / "begun").touch()
    until(lambda: heard)
    return 8


def plain(marks: Path) -> int:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
    (marks / "begun").touch()
    until((marks / "over").exists)
    return 0


def test_an_interruptible_task_is_told(coordinator: Any, tmp_path: Path) -> None:
    with coordinator._warm_shutdown_signals():
        child = fork(lambda: interruptible(tmp_path))
        until((tmp_path / "begun").exists)
        os.kill(os.getpid(), signal.SIGTERM)
        assert code_of(child) == 8
    assert coordinator.heard == [signal.SIGTERM], "Airflow's own goes on"


def test_a_signal_before_it_began_is_not_lost(coordinator: Any, tmp_path: Path) -> None:
    with coordinator._warm_shutdown_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: coordinator.heard)
        assert code_of(fork(lambda: interruptible(tmp_path))) == 7


def test_any_other_task_is_let_finish(coordinator: Any, tmp_path: Path) -> None:
    with coordinator._warm_shutdown_signals():
        child = fork(lambda: plain(tmp_path))
        until((tmp_path / "begun").exists)
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: coordinator.heard)
        time.sleep(0.1)
        (tmp_path / "over").touch()
        assert code_of(child) == 0


def test_one_task_s_signal_is_not_the_next_one_s(coordinator: Any, tmp_path: Path) -> None:
    with coordinator._warm_shutdown_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    with coordinator._warm_shutdown_signals():
        child = fork(lambda: interruptible(tmp_path))
        until((tmp_path / "begun").exists)
        os.kill(os.getpid(), signal.SIGTERM)
        assert code_of(child) == 8


def test_handlers_are_given_back(coordinator: Any) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with coordinator._warm_shutdown_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert not warm_shutdown.begin()


def test_an_airflow_that_forwards_signals_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = ModuleType(NAME)
    monkeypatch.setitem(sys.modules, NAME, found)
    warm_shutdown.install()
    assert not hasattr(found, "_warm_shutdown_signals")


def test_it_waits_until_airflow_loads_its_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "loaded_late.py").write_text("def _warm_shutdown_signals(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(warm_shutdown, "_MODULE", "loaded_late")
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if not isinstance(f, warm_shutdown._Finder)])
    warm_shutdown.install()
    warm_shutdown.install()
    assert sum(isinstance(finder, warm_shutdown._Finder) for finder in sys.meta_path) == 1
    module: Any = importlib.import_module("loaded_late")
    assert module._warm_shutdown_signals.passes_on
    assert not any(isinstance(finder, warm_shutdown._Finder) for finder in sys.meta_path)


def test_airflow_has_the_name_where_it_keeps_signals_to_itself() -> None:
    """Where it has not, it forwards them; a version that does neither is one that this package does not know."""
    import inspect

    from airflow.sdk.execution_time import coordinator, supervisor

    forwards = "_forward_signal" in inspect.getsource(supervisor)
    assert hasattr(coordinator, "_warm_shutdown_signals") or forwards
