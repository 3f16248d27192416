# SPDX-License-Identifier: Apache-2.0
"""Waiting until pods are at work no longer."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.worker.pod_endings import MARGIN, await_end

if TYPE_CHECKING:
    from collections.abc import Callable

k8s = pytest.importorskip("kubernetes.client.models")
from kubernetes.client import ApiException  # noqa: E402


def made(uid: str = "u", phase: str = "Running", node: str | None = "n", **said: Any) -> Any:
    """A pod that had 30 s from its deletion on, or has them yet."""
    deleted = said.get("deletion_timestamp") and {"deletion_grace_period_seconds": said.pop("grace", 30)}
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="p", namespace="ns", uid=uid, **said, **(deleted or {})),
        spec=k8s.V1PodSpec(containers=[], node_name=node, termination_grace_period_seconds=60),
        status=k8s.V1PodStatus(phase=phase),
    )


DELETED = {"deletion_timestamp": "t"}


class World:
    """A clock, and an API that tells of one pod by the clock."""

    def __init__(self, at: Callable[[float], Any], node: Callable[[float], bool] = lambda _: True) -> None:
        self.now, self.at, self.node = 100.0, at, node

    def read_namespaced_pod(self, *_: Any, **__: Any) -> Any:
        answer = self.at(self.now - 100)
        if isinstance(answer, int):
            raise ApiException(status=answer)
        return answer

    def read_node(self, *_: Any, **__: Any) -> Any:
        if not self.node(self.now - 100):
            raise ApiException(status=404)
        return SimpleNamespace(metadata=None)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def awaited(self, *pods: Any, latest: float = math.inf) -> tuple[bool, float]:
        """Whether all have ended, and after how many seconds."""
        late = await_end(pods, self, latest=100 + latest, clock=lambda: self.now, sleep=self.sleep)
        return not late, self.now - 100


@pytest.mark.parametrize(
    "gone", [404, made(uid="another"), made(phase="Failed", **DELETED), made(phase="Succeeded", **DELETED)]
)
def test_a_pod_has_ended_when_it_is_gone_or_nothing_in_it_runs(gone: Any) -> None:
    world = World(lambda now: gone if now >= 7 else made(**DELETED))
    assert world.awaited(made(**DELETED)) == (True, 7.0)


def test_or_its_node_is_gone() -> None:
    done, after = World(lambda _: made(**DELETED), node=lambda now: now < 8).awaited(made(**DELETED))
    assert done
    assert 8 <= after <= 13


@pytest.mark.parametrize("status", [403, 409, 410, 500])
def test_what_cannot_be_looked_at_has_not_ended(status: int) -> None:
    assert World(lambda now: 404 if now >= 20 else status).awaited(made(**DELETED)) == (True, 20.0)
    assert World(lambda _: status).awaited(made(**DELETED)) == (False, 30 + MARGIN)


def test_it_is_waited_for_as_long_as_it_has() -> None:
    assert World(lambda _: made(**DELETED)).awaited(made(**DELETED)) == (False, 30 + MARGIN)
    assert World(lambda _: made()).awaited(made()) == (False, 60 + MARGIN)


def test_or_as_long_as_the_one_who_waits_has() -> None:
    assert World(lambda _: made()).awaited(made(), latest=12) == (False, 12.0)


def test_a_pod_that_was_only_asked_for_is_known_by_its_name() -> None:
    request = made(uid="")
    request.metadata.uid = None
    assert World(lambda now: 404 if now >= 3 else made(**DELETED)).awaited(request) == (True, 3.0)


def test_its_time_begins_when_it_is_deleted() -> None:
    """It was disrupted, and is deleted a while later, with a grace of its own."""
    world = World(lambda now: made(**DELETED, grace=120) if now >= 50 else made())
    assert world.awaited(made()) == (False, 50 + 120 + MARGIN)


def test_where_no_node_has_it_nothing_has_to_end() -> None:
    assert World(lambda _: made(node=None, phase="Pending")).awaited(made(node=None)) == (False, MARGIN)


def test_nothing_to_wait_for_takes_no_time() -> None:
    assert World(lambda _: 500).awaited() == (True, 0)
