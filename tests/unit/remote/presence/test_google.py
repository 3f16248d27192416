# SPDX-License-Identifier: Apache-2.0
"""Compute Engine: machines by their names, which a managed group gives to their successors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_interruptible.remote.presence import gce

pytest.importorskip("airflow.providers.google")

DURING, BEFORE = "2026-01-01T12:10:00.123-08:00", "2026-01-01T03:00:00.000-08:00"


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``machines({"name": ...}, ...)``: what the API answers; returns the filters that were asked with."""
    from airflow.providers.google.cloud.hooks import compute

    asked: list[str] = []

    def install(*found: dict[str, Any]) -> list[str]:
        def listed(*, project: str, filter: str, maxResults: int) -> Any:  # noqa: A002, N803 - as Google spells them
            assert (project, maxResults) == ("p", 500)
            asked.append(filter)
            return SimpleNamespace(execute=lambda num_retries: {"items": {"zones/z": {"instances": list(found)}}})

        instances = SimpleNamespace(aggregatedList=listed)
        connection = SimpleNamespace(instances=lambda: instances)
        hook = SimpleNamespace(project_id="p", get_conn=lambda: connection)
        monkeypatch.setattr(compute, "ComputeEngineHook", lambda **_: hook)
        return asked

    return install


def test_stopped_since_the_attempt_began(machines: Any, life: Any) -> None:
    asked = machines(
        {"name": "a", "status": "TERMINATED", "lastStopTimestamp": DURING},
        {"name": "b", "status": "RUNNING"},
        {"name": "c", "status": "TERMINATED", "lastStopTimestamp": BEFORE},
        {"name": "d", "status": "STOPPING"},
    )
    proofs = dict(gce.gone({name: life("CeleryExecutor", vm=name) for name in "abcde"}))
    assert {name: proof.what for name, proof in proofs.items()} == {"a": "its machine a"}
    assert asked == [" OR ".join(f'(name = "{name}")' for name in "abcde")]


def test_a_name_that_is_none_is_not_put_into_a_filter(machines: Any, life: Any) -> None:
    asked = machines()
    assert not list(gce.gone({1: life(vm='x") OR (name = "y'), 2: life()}))
    assert asked == []
