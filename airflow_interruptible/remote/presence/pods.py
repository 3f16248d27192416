# SPDX-License-Identifier: Apache-2.0
"""Pods of KubernetesExecutor: all of a namespace in one call, and a second look at each that was not among them.

A pod that Kubernetes has deleted, that has ended, or whose node is no longer there, is at work for nobody: the kubelet
of a machine that is only cut off may run it for a while, and Airflow's API server tells its supervisor to stop as soon
as that is heard again. A node that is NotReady proves nothing. Nothing is looked for but the executor's own pods: a
worker of another executor may run in another cluster.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from airflow_interruptible.remote.answer import Answer, each, inside, pick
from airflow_interruptible.remote.kubernetes_client import SECONDS, ask
from airflow_interruptible.remote.presence import Life, Proof, Token, by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

_EXECUTOR = "KubernetesExecutor"
_ENDED = frozenset(("Failed", "Succeeded"))
_PAGE = 500
_SECOND_LOOKS = 50
"""Calls for single pods, or nodes, in one look at a namespace: the rest has its turn at the next."""


def gone(lives: Mapping[Token, Life]) -> Iterator[tuple[Token, Proof]]:
    """Yield the attempts whose pod is gone, has ended, or has lost its node."""
    theirs = {token: life for token, life in lives.items() if life.executor.endswith(_EXECUTOR)}
    if not theirs:
        return
    from airflow.providers.cncf.kubernetes.kube_client import get_kube_client

    api: Any = get_kube_client()
    for (namespace,), there in by(theirs, "namespace").items():
        yield from _gone_from(api, namespace, {life.where.get("pod", ""): token for token, life in there.items()})


def _gone_from(api: Any, namespace: str, names: Mapping[str, Token]) -> Iterator[tuple[Token, Proof]]:
    found = {name: pod for name, pod in _listed(api, namespace) if name in names}
    for name, pod in found.items():
        status = inside(pod, "status")
        if status.get("phase") in _ENDED:
            yield names[name], Proof(f"its pod {name}", _answer(status).classified())
    for name in [name for name in names if name and name not in found][:_SECOND_LOOKS]:
        if _is_missing(api.read_namespaced_pod, name, namespace):
            yield names[name], Proof(f"its pod {name}")
    placed = {name: str(node) for name, pod in found.items() if (node := inside(pod, "spec").get("nodeName"))}
    missing = {node for node in sorted(set(placed.values()))[:_SECOND_LOOKS] if _is_missing(api.read_node, node)}
    for name, node in placed.items():
        if node in missing and inside(found[name], "status").get("phase") not in _ENDED:
            yield names[name], Proof(f"its node {node}")


def _is_missing(read: Callable[..., Any], *name: str) -> bool:
    """Whether the API says that there is no such thing. One that may not be read is there, and no other's business."""
    try:
        return ask(read, *name) is None
    except Exception as error:  # noqa: BLE001 - the role of the official chart may read pods, not nodes
        log.debug("%s cannot be looked at: %s: %.300s", " ".join(name), type(error).__name__, error)
        return False


def _listed(api: Any, namespace: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every pod of the executor in a namespace, read as JSON: there may be thousands."""
    after = None
    while True:
        answer = json.loads(
            api.list_namespaced_pod(
                namespace,
                label_selector="kubernetes_executor=True",
                limit=_PAGE,
                _continue=after,
                _preload_content=False,
                _request_timeout=5 * SECONDS,
            ).data
        )
        for pod in each(answer, "items"):
            yield str(inside(pod, "metadata").get("name")), pod
        after = inside(answer, "metadata").get("continue")
        if not after:
            return


def _answer(status: Mapping[str, Any]) -> Answer:
    conditions = [pick(one, "type", "status", "reason", "message") for one in each(status, "conditions")]
    return Answer("k8s", "pod status", {**pick(status, "phase", "reason", "message"), "conditions": conditions})
