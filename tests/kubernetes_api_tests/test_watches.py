# SPDX-License-Identifier: Apache-2.0
"""Watches, as https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, watch
from kubernetes.client.rest import ApiException
from kubernetes_api_tests.pods import SPACE
from kubernetes_asyncio import client as async_client
from kubernetes_asyncio import config as async_config
from kubernetes_asyncio import watch as async_watch

if TYPE_CHECKING:
    from kubernetes_api import KubernetesCluster
    from kubernetes_api_tests.pods import RunPod

pytestmark = pytest.mark.usefixtures("cluster")


def seen(v1: client.CoreV1Api, **options: Any) -> list[tuple[str, str]]:
    """What a watch of one second sees of the pods."""
    stream = watch.Watch().stream(v1.list_namespaced_pod, SPACE, timeout_seconds=1, **options)
    return [(event["type"], event["object"].metadata.name) for event in stream]


def version(v1: client.CoreV1Api) -> str:
    return str(v1.list_namespaced_pod(SPACE).metadata.resource_version)


def test_a_watch_begins_with_what_is_there(v1: client.CoreV1Api, run_pod: RunPod) -> None:
    run_pod("a")
    run_pod("b")
    assert seen(v1)[:2] == [("ADDED", "a"), ("ADDED", "b")]
    assert seen(v1, resource_version="0")[:2] == [("ADDED", "a"), ("ADDED", "b")]


def test_a_watch_from_a_version_replays_what_came_after(
    v1: client.CoreV1Api, cluster: KubernetesCluster, run_pod: RunPod
) -> None:
    cluster.hold_scheduling()
    run_pod("a")
    start = version(v1)
    run_pod("b")
    v1.patch_namespaced_pod("a", SPACE, {"metadata": {"labels": {"x": "1"}}})
    v1.delete_namespaced_pod("b", SPACE)
    expected = [("ADDED", "b"), ("MODIFIED", "a"), ("MODIFIED", "b"), ("DELETED", "b")]
    assert seen(v1, resource_version=start) == expected


def test_leaving_the_selection_looks_like_a_deletion_without_timestamp(
    v1: client.CoreV1Api, cluster: KubernetesCluster, run_pod: RunPod
) -> None:
    cluster.hold_scheduling()
    run_pod("a")
    start = version(v1)
    v1.patch_namespaced_pod("a", SPACE, {"metadata": {"labels": {"done": "True"}}})
    v1.patch_namespaced_pod("a", SPACE, {"metadata": {"labels": {"done": None}}})
    stream = watch.Watch().stream(
        v1.list_namespaced_pod, SPACE, timeout_seconds=1, resource_version=start, label_selector="app=a,done!=True"
    )
    events = list(stream)
    assert [event["type"] for event in events] == ["DELETED", "ADDED"]
    gone = events[0]["object"]
    assert gone.metadata.deletion_timestamp is None
    assert "done" not in gone.metadata.labels
    assert int(gone.metadata.resource_version) > int(start)


def test_a_version_that_is_too_old_is_gone(v1: client.CoreV1Api, cluster: KubernetesCluster, run_pod: RunPod) -> None:
    start = version(v1)
    run_pod("a")
    cluster.compact()
    with pytest.raises(ApiException) as error:
        seen(v1, resource_version=start)
    assert error.value.status == 410
    assert "too old resource version" in error.value.reason
    assert seen(v1, resource_version=version(v1)) == []


def test_a_graceful_deletion_is_seen_step_by_step(
    v1: client.CoreV1Api, node: str, run_pod: RunPod, at_work: Any
) -> None:
    run_pod("a", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    at_work("a")
    start = version(v1)
    v1.delete_namespaced_pod("a", SPACE)
    stream = watch.Watch().stream(v1.list_namespaced_pod, SPACE, timeout_seconds=1, resource_version=start)
    steps = [
        (event["type"], event["object"].status.phase, event["object"].metadata.deletion_grace_period_seconds)
        for event in stream
    ]
    assert steps[0] == ("MODIFIED", "Running", 1)
    assert ("MODIFIED", "Succeeded", 1) in steps
    assert steps[-2:] == [("MODIFIED", "Succeeded", 0), ("DELETED", "Succeeded", 0)]


def test_bookmarks_tell_how_far_a_watch_got(v1: client.CoreV1Api, cluster: KubernetesCluster) -> None:
    path = f"/api/v1/namespaces/{SPACE}/pods"
    now = version(v1)
    text = cluster.text(path, watch="true", timeoutSeconds="1", resourceVersion=now, allowWatchBookmarks="true")
    assert '"BOOKMARK"' in text
    assert f'"resourceVersion": "{now}"' in text


def test_two_watches_see_the_same(v1: client.CoreV1Api, cluster: KubernetesCluster, run_pod: RunPod) -> None:
    async def both() -> list[list[str]]:
        await async_config.load_kube_config(str(cluster.kubeconfig))
        async with async_client.ApiClient() as api:
            core = async_client.CoreV1Api(api)

            async def one() -> list[str]:
                names = []
                async with async_watch.Watch().stream(core.list_namespaced_pod, SPACE, timeout_seconds=2) as stream:
                    async for event in stream:
                        names.append(event["object"].metadata.name)
                        if len(names) == 3:
                            break
                return names

            watching = [asyncio.create_task(one()) for _ in range(2)]
            for name in "abc":
                await asyncio.to_thread(run_pod, name)
            return list(await asyncio.gather(*watching))

    cluster.hold_scheduling()
    assert asyncio.run(both()) == [["a", "b", "c"], ["a", "b", "c"]]
