# SPDX-License-Identifier: Apache-2.0
"""Which pods are given up, when, and what happens when that does not work."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.executors.executor_loader import ExecutorLoader
from airflow.executors.executor_utils import ExecutorName

from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import Classification
from airflow_interruptible.remote.kubernetes_waiting import WaitingPod
from airflow_interruptible.server import spot_timeout, unplaced
from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = timedelta(minutes=5)
KEY = ("d", "t", "r", -1)
NO_CAPACITY = Classification(Cause.NO_CAPACITY, "k8s/unschedulable-on-spot", "0/3 nodes are available")


def pod(age: timedelta = PATIENCE, **annotations: str) -> WaitingPod:
    notes = {"dag_id": "d", "task_id": "t", "run_id": "r", "try_number": "1", **annotations}
    return WaitingPod("p", "ns", "u", "1", datetime.now(timezone.utc) - age, notes, {})


@dataclass
class World:
    """The cluster and the database."""

    waiting: list[WaitingPod] = field(default_factory=list)
    why: Classification = NO_CAPACITY
    taken: list[WaitingPod] = field(default_factory=list)
    ended: list[tuple[Any, ...]] = field(default_factory=list)
    takes: bool = True
    waits: bool = True
    ends: bool = True
    namespaces: list[str] = field(default_factory=lambda: ["ns"])
    forbidden: frozenset[str] = frozenset()
    """Names of namespaces that may not be listed, and of pods that may not be taken."""
    left_over: list[WaitingPod] = field(default_factory=list)
    deleted: list[WaitingPod] = field(default_factory=list)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    def refuse(name: str) -> None:
        if name in world.forbidden:
            raise OSError(f"{name} is forbidden")

    def waiting(_api: Any, namespace: str, *_: Any) -> list[WaitingPod]:
        refuse(namespace)
        return [one for one in world.waiting if one.namespace == namespace]

    def take(_api: Any, one: WaitingPod) -> bool:
        refuse(one.name)
        world.taken.append(one)
        return world.takes

    def end(*arguments: Any) -> bool:
        world.ended.append(arguments)
        return world.ends

    monkeypatch.setattr(spot_timeout.pods, "client", object)
    monkeypatch.setattr(spot_timeout.pods, "namespaces", lambda: world.namespaces)
    monkeypatch.setattr(spot_timeout.pods, "waiting", waiting)
    monkeypatch.setattr(spot_timeout.pods, "left_over", lambda *_: world.left_over)
    monkeypatch.setattr(spot_timeout.pods, "delete", lambda _api, one: world.deleted.append(one))
    monkeypatch.setattr(spot_timeout.pods, "why", lambda _: world.why)
    monkeypatch.setattr(spot_timeout.pods, "autoscaler_says", lambda *_: "NotTriggerScaleUp: max size reached")
    monkeypatch.setattr(spot_timeout.pods, "take", take)
    monkeypatch.setattr(unplaced, "waits", lambda *_: world.waits)
    monkeypatch.setattr(unplaced, "end", end)
    return world


@pytest.fixture
def watch() -> spot_timeout.Watch:
    return spot_timeout.Watch(7, PATIENCE)


def test_a_pod_that_waited_too_long_is_given_up(world: World, watch: spot_timeout.Watch) -> None:
    world.waiting = [pod()]
    watch.look()
    ((key, number, job_id, why),) = world.ended
    assert (key, number, job_id) == (KEY, 1, 7)
    assert (why.cause, why.rule) == (Cause.NO_CAPACITY, NO_CAPACITY.rule)
    assert why.reason == ("no spot node within 300 s: 0/3 nodes are available; NotTriggerScaleUp: max size reached")
    world.waiting = []
    watch.look()
    assert len(world.ended) == 1, "once"


def test_a_mapped_one_is_told_by_its_index(world: World, watch: spot_timeout.Watch) -> None:
    world.waiting = [pod(map_index="3", try_number="2")]
    watch.look()
    assert world.ended[0][:2] == (("d", "t", "r", 3), 2)


def test_one_that_has_not_is_left(world: World, watch: spot_timeout.Watch) -> None:
    world.waiting = [pod(PATIENCE - timedelta(seconds=5))]
    watch.look()
    assert (world.taken, world.ended) == ([], [])


@pytest.mark.parametrize("cause", [Cause.UNKNOWN, Cause.APPLICATION, Cause.INFRASTRUCTURE])
def test_one_that_waits_for_something_else_is_left(world: World, watch: spot_timeout.Watch, cause: Cause) -> None:
    world.waiting, world.why = [pod()], Classification(cause, None, "")
    watch.look()
    assert (world.taken, world.ended) == ([], [])


def test_one_whose_attempt_does_not_wait_is_left(world: World, watch: spot_timeout.Watch) -> None:
    world.waiting, world.waits = [pod()], False
    watch.look()
    assert (world.taken, world.ended) == ([], [])


def test_one_without_the_executor_s_annotations_is_left(world: World, watch: spot_timeout.Watch) -> None:
    world.waiting = [pod(try_number="many"), WaitingPod("p", "ns", "u", "1", None, {}, {})]
    watch.look()
    assert (world.taken, world.ended) == ([], [])


def test_one_that_has_changed_meanwhile_is_looked_at_anew(world: World, watch: spot_timeout.Watch) -> None:
    world.waiting, world.takes = [pod()], False
    watch.look()
    assert (len(world.taken), world.ended) == (1, [])


def test_an_end_that_could_not_be_recorded_is_tried_again(world: World, watch: spot_timeout.Watch) -> None:
    world.waiting, world.ends = [pod()], False
    watch.look()
    world.waiting, world.ends = [], True
    watch.look()
    watch.look()
    assert [ended[0] for ended in world.ended] == [KEY, KEY]


# -- one that refuses costs the others nothing


def named(name: str, namespace: str = "ns") -> WaitingPod:
    return replace(pod(), name=name, namespace=namespace, annotations={**pod().annotations, "task_id": name})


def tasks(world: World) -> list[str]:
    return [key[1] for key, *_ in world.ended]


def test_a_pod_that_cannot_be_taken_costs_only_its_own_attempt(
    world: World, watch: spot_timeout.Watch, warnings_of: Callable[[], list[str]]
) -> None:
    world.waiting, world.forbidden = [named("a"), named("b"), named("c")], frozenset("b")
    watch.look()
    assert tasks(world) == ["a", "c"]
    world.waiting = [named("b")]
    watch.look()
    (warning,) = warnings_of()
    assert "given up: ns/b" in warning
    assert "task_queued_timeout" in warning
    world.forbidden = frozenset()
    watch.look()
    assert tasks(world) == ["a", "c", "b"], "looked at anew each time"


def test_a_namespace_that_cannot_be_listed_costs_only_its_own(
    world: World, watch: spot_timeout.Watch, warnings_of: Callable[[], list[str]]
) -> None:
    world.namespaces, world.forbidden = ["gone", "ns"], frozenset({"gone"})
    world.waiting = [named("a", "gone"), named("b")]
    watch.look()
    watch.look()
    assert set(tasks(world)) == {"b"}
    (warning,) = warnings_of()
    assert "namespace gone" in warning


def test_where_none_can_be_listed_the_watch_looks_more_rarely(world: World, watch: spot_timeout.Watch) -> None:
    world.forbidden = frozenset({"ns"})
    with pytest.raises(OSError, match="ns is forbidden"):
        watch.look()


def test_an_attempt_whose_pod_was_taken_is_not_forgotten(
    world: World, watch: spot_timeout.Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end could not be recorded, and then nothing could be listed either."""
    world.waiting = [named("a"), named("b")]
    end, down = unplaced.end, [True]

    def failing(key: Any, *rest: Any) -> bool:
        if down and key[1] == "a":
            raise OSError("the database is down")
        return end(key, *rest)

    monkeypatch.setattr(unplaced, "end", failing)
    watch.look()
    assert tasks(world) == ["b"]
    down.clear()
    world.forbidden = frozenset({"ns"})
    with pytest.raises(OSError, match="ns is forbidden"):
        watch.look()
    assert tasks(world) == ["b", "a"]


def test_a_pod_that_another_scheduler_left_half_taken_is_deleted(world: World, watch: spot_timeout.Watch) -> None:
    world.left_over = [named("old")]
    watch.look()
    assert (world.deleted, world.ended) == (world.left_over, [])


# -- whether and when it runs


class KubernetesExecutor:
    """What goes by that name, wherever it is."""


class Derived(KubernetesExecutor):
    """Any name, such as that of a team's own."""


class NoKubernetesExecutorAtAll:
    """Has only the word in its name."""


@pytest.mark.parametrize(
    ("executors", "expected"),
    [
        ([KubernetesExecutor], True),
        ([NoKubernetesExecutorAtAll, Derived], True),
        ([NoKubernetesExecutorAtAll], False),
    ],
)
def test_it_is_wanted_only_where_pods_wait(
    executors: list[type], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever airflow.cfg says of computes: a task may name its own."""
    names = [ExecutorName(f"{__name__}.{each.__name__}", alias=None) for each in executors]
    monkeypatch.setattr(ExecutorLoader, "get_executor_names", lambda **_: names)
    assert spot_timeout.wanted() is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("airflow.providers.cncf.kubernetes.executors.kubernetes_executor.KubernetesExecutor", True),
        ("airflow_interruptible.executors.kubernetes.InterruptibleKubernetesExecutor", True),
        ("airflow.executors.local_executor.LocalExecutor", False),
    ],
)
def test_so_it_is_with_the_real_ones(name: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExecutorLoader, "get_executor_names", lambda **_: [ExecutorName(name, alias=None)])
    assert spot_timeout.wanted() is expected


def test_it_looks_a_tenth_of_the_time_out_apart(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spot_timeout, "wanted", lambda: True)
    for timeout, pause in ((0, 1.0), (5, 1.0), (100, 10.0), (300, 15.0), (86400, 15.0)):
        configure(spot_timeout=str(timeout))
        found = spot_timeout._begin(7)
        assert found is not None
        assert found[1] == pause


def test_where_it_is_not_wanted_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spot_timeout, "wanted", lambda: False)
    monkeypatch.setattr(unplaced, "check", lambda: pytest.fail("nobody needs it"))
    assert spot_timeout._begin(7) is None


def test_an_airflow_that_we_do_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed() -> None:
        raise SeamChangedError("it takes something else")

    monkeypatch.setattr(spot_timeout, "wanted", lambda: True)
    monkeypatch.setattr(unplaced, "check", changed)
    with pytest.raises(SeamChangedError):
        spot_timeout._begin(7)
