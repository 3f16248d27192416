# SPDX-License-Identifier: Apache-2.0
"""What is found where an attempt vanished overrules what was presumed, before any work begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible import remote
from airflow_interruptible.core.cause import Cause, Charge
from airflow_interruptible.core.payload import read
from airflow_interruptible.rules import DEFAULT_SURFACES
from airflow_interruptible.worker.attempt import RetriesExhausted, attempt

if TYPE_CHECKING:
    from collections.abc import Callable


def found(service: str, surface: str, payload: Any) -> Callable[..., Any]:
    return lambda *_, **__: read(service, surface, payload, surfaces=DEFAULT_SURFACES)


OUT_OF_MEMORY = found(
    "ecs",
    "stoppedReason/stopCode",
    {
        "stopCode": "EssentialContainerExited",
        "containers": [{"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}],
    },
)
RECLAIMED = found("ecs", "stoppedReason/stopCode", {"stopCode": "SpotInterruption"})
NOTHING = found("ecs", "stoppedReason/stopCode", {"stopCode": "something new"})


def vanished(bench: Any, **arguments: Any) -> Any:
    """Return a bench whose first attempt started and was never heard of again."""
    ready = bench(**arguments)
    with attempt(ready.task, ready.context):
        pass
    return ready.next_try()


def begun(bench: Any) -> Any:
    with attempt(bench.task, bench.context):
        return bench.ledger.records[1]


def test_what_was_presumed_an_interruption_was_the_authors(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    second = vanished(bench)
    monkeypatch.setattr(remote, "look_back", OUT_OF_MEMORY)
    record = begun(second)
    assert (record.cause, record.charge) == (Cause.APPLICATION, Charge.USER)


def test_an_attempt_of_many_parts_looks_back_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sensor in reschedule mode enters execute at each poke; a look may take seconds."""
    looks: list[object] = []
    second = vanished(bench)
    monkeypatch.setattr(remote, "look_back", lambda *_, **__: looks.append(1))
    for _ in range(3):
        begun(second)
    assert len(looks) == 1


def test_what_was_presumed_the_authors_was_a_reclaim(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On demand, with no retries: the presumption alone would fail the task here."""
    second = vanished(bench, interruptible=False, retries=0)
    monkeypatch.setattr(remote, "look_back", RECLAIMED)
    assert begun(second).charge is Charge.SYSTEM


def test_evidence_against_the_author_fails_the_task_before_it_begins(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = vanished(bench, retries=0, system_retries=3)
    monkeypatch.setattr(remote, "look_back", OUT_OF_MEMORY)
    with pytest.raises(RetriesExhausted):
        begun(second)


@pytest.mark.parametrize("look", [lambda *_, **__: None, NOTHING], ids=["nothing there", "nothing that a rule knows"])
def test_without_evidence_the_presumption_stands(
    bench: Any, monkeypatch: pytest.MonkeyPatch, look: Callable[..., Any]
) -> None:
    second = vanished(bench)
    monkeypatch.setattr(remote, "look_back", look)
    record = begun(second)
    assert (record.cause, record.charge) == (None, Charge.SYSTEM)


def test_a_look_that_fails_is_one_warning(
    bench: Any, monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no route")

    second = vanished(bench)
    monkeypatch.setattr(remote, "look_back", broken)
    assert begun(second).charge is Charge.SYSTEM
    assert len(warnings_of()) == 1


def test_an_attempt_that_reported_is_not_looked_for(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(remote, "look_back", lambda *args, **_: asked.append(args))
    begun(bench())
    assert asked == []
