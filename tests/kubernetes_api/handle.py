# SPDX-License-Identifier: Apache-2.0
"""What a test holds: a cluster as a process of its own, its kubeconfig, and the power to disrupt it.

It must not know how any of it is done: every method is one call of the control API. Plain blocking code.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from kubernetes_api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


class KubernetesError(Exception):
    """The cluster does not run, or does not do what it was told."""


class KubernetesCluster:
    """A Kubernetes API that lives as long as the ``with`` block.

    ::

        with KubernetesCluster() as cluster:
            cluster.add_node("spot-1", preset="gke-spot")
            ...  # anything that reads cluster.kubeconfig
            cluster.reclaim("spot-1", how="shutdown", notice=5)

    :param settings: how it behaves; see :class:`.Settings`.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self.home = Path(tempfile.mkdtemp(prefix="kubernetes-api-"))
        self.kubeconfig = self.home / "kubeconfig"
        self.log = self.home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(trust_env=False, timeout=30.0)

    def __enter__(self) -> Self:
        """Start it and wait until it serves."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill every pod and stop it."""
        self.stop()

    @property
    def url(self) -> str:
        """Where it serves."""
        return str(json.loads(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])

    def start(self) -> None:
        """Start the process and wait until it serves.

        :raises KubernetesError: when it ends instead, with its log.
        """
        source = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        command = ["--kubeconfig", str(self.kubeconfig), "--settings", self._settings.as_json()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kubernetes_api", *command],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self.kubeconfig.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(keep=True)
                raise KubernetesError(f"the cluster did not come up. Its log:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self, *, keep: bool = False) -> None:
        """Stop it, with all its pods. Harmless when it is stopped.

        :param keep: leave its directory, with the log.
        """
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
        if not keep:
            shutil.rmtree(self.home, ignore_errors=True)

    def get(self, path: str, **query: str) -> Any:
        """Read from the API itself, as ``get("/api/v1/nodes")``."""
        return self._call("GET", path, params=query)

    def text(self, path: str, **query: str) -> str:
        """Read something that is not one JSON document: a log, or all lines of a watch that ends."""
        return self._answer("GET", path, params=query).text

    def pods(self, namespace: str = "default", **query: str) -> list[dict[str, Any]]:
        """The pods of a namespace, as JSON; ``labelSelector`` and ``fieldSelector`` select."""
        return list(self.get(f"/api/v1/namespaces/{namespace}/pods", **query)["items"])

    def logs(self, pod: str, namespace: str = "default", **query: str) -> str:
        """The log of a pod; ``container``, ``tailLines`` and the like select."""
        return self.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", **query)

    def add_node(
        self,
        name: str,
        *,
        preset: str = "plain",
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Mapping[str, str]] = (),
        cpu: str = "8",
        pods: int = 110,
    ) -> None:
        """Add a ready node.

        :param preset: a name of ``nodes.PRESETS``, such as ``karpenter-spot`` or ``gke-on-demand``.
        :param labels: further labels; ``taints`` further taints, as the API spells them.
        """
        options = {"labels": dict(labels or {}), "taints": list(taints), "cpu": cpu, "pods": pods}
        self._act("add_node", name=name, preset=preset, **options)

    def remove_node(self, name: str) -> None:
        """Switch a machine off and delete its node object at once."""
        self._act("remove_node", node=name)

    def reclaim(self, node: str, *, how: str = "shutdown", notice: float = 30.0) -> list[str]:
        """Take a node away and return the names of its pods; returns at once.

        :param how: ``shutdown``, ``taint``, ``eviction`` or ``abrupt``: see :class:`.disruptions.Reclaim`.
        :param notice: seconds until the machine is off and the node object gone; clouds give 30 to 120. With
            ``abrupt`` the machine is off at once, and this is how long the node object outlives it.
        """
        return list(self._act("reclaim", node=node, how=how, notice=notice))

    def drain(self, node: str) -> None:
        """Cordon a node and evict its pods through the eviction API; the node stays."""
        self._act("drain", node=node)

    def preempt(self, pod: str, namespace: str = "default") -> None:
        """Let the scheduler delete a pod for one of higher priority."""
        self._act("preempt", namespace=namespace, pod=pod)

    def evict(self, pod: str, namespace: str = "default", *, grace: float | None = None) -> None:
        """Evict a pod through the eviction API."""
        self._act("evict", namespace=namespace, pod=pod, grace=grace)

    def evict_by_pressure(
        self, pod: str, namespace: str = "default", *, resource: str = "memory", over_request: bool = False
    ) -> None:
        """Let the kubelet end a pod because its node runs low on a resource.

        :param over_request: whether the message says that the pod itself used more than it had asked for.
        """
        arguments = {"namespace": namespace, "pod": pod, "resource": resource, "over_request": over_request}
        self._act("evict_by_pressure", **arguments)

    def oom(self, pod: str, namespace: str = "default", *, container: str | None = None) -> None:
        """Let the OOM killer take a container, by default the first."""
        self._act("oom", namespace=namespace, pod=pod, container=container)

    def delete_pod(self, pod: str, namespace: str = "default", *, grace: float | None = None) -> None:
        """Delete a pod as a person does; ``grace=0`` is ``--force``."""
        self._act("delete_pod", namespace=namespace, pod=pod, grace=grace)

    def set_capacity(self, capacity: str, pods: int | None) -> None:
        """How many pods the nodes of a capacity (``spot``, ``on-demand``) take in all; 0 is none, None any number."""
        self._act("set_capacity", capacity=capacity, pods=pods)

    def hold_scheduling(self, held: bool = True) -> None:
        """Bind no pod from now on, or go on."""
        self._act("hold_scheduling", held=held)

    def set_autoscaler(self, name: str | None) -> None:
        """Whose events an unschedulable pod gets: ``cluster-autoscaler``, ``gke``, ``karpenter`` or None."""
        self._act("set_autoscaler", name=name)

    def set_image_env(self, env: Mapping[str, str]) -> None:
        """What containers started from now on find in their environment, whatever their image."""
        self._act("set_image_env", env=dict(env))

    def compact(self) -> None:
        """Forget the history of changes: watches from an older resource version get 410 Gone."""
        self._act("compact")

    def _act(self, action: str, **arguments: Any) -> Any:
        return self._call("POST", f"/_sim/{action}", json=arguments)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        return self._answer(method, path, **options).json()

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._http.request(method, self.url + path, **options)
        if answer.is_error:
            raise KubernetesError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer
