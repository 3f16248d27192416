# SPDX-License-Identifier: Apache-2.0
"""A pod to test with, and what the fixtures give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes import client

T = TypeVar("T")

SPACE = "default"


class RunPod(Protocol):
    def __call__(self, name: str, script: str = "true", **spec: Any) -> client.V1Pod: ...


class Until(Protocol):
    def __call__(self, look: Callable[[], T], good: Callable[[T], object] = ...) -> T: ...


class InPhase(Protocol):
    def __call__(self, name: str, phase: str) -> client.V1Pod: ...


def shell_pod(name: str, script: str = "true", **spec: Any) -> dict[str, Any]:
    container = {"name": "base", "image": "busybox", "command": ["sh", "-c", script]}
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **spec},
    }


def conditions(pod: client.V1Pod) -> dict[str, tuple[str, str | None, str | None]]:
    return {each.type: (each.status, each.reason, each.message) for each in pod.status.conditions or []}


def log_of(v1: client.CoreV1Api, name: str, **options: Any) -> str:
    """The log of a pod; decoded by us, since the client (36.0) returns the bytes' repr."""
    return str(v1.read_namespaced_pod_log(name, SPACE, _preload_content=False, **options).data.decode())
