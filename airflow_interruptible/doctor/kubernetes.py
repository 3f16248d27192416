# SPDX-License-Identifier: Apache-2.0
"""The cluster of KubernetesExecutor: nodes with the labels that the compute asks for, and what evidence may look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.compute.kubernetes import KubernetesCompute
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.doctor.cloud import not_permitted
from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.remote.kubernetes_client import SECONDS, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_interruptible.doctor.deployment import Deployment

_NOBODY = "airflow-interruptible-doctor"
"""A name that nothing has: whether it may be read is answered all the same."""

_FORBIDDEN = 403


def check(deployment: Deployment) -> Iterator[Finding]:
    """Ask the API of the executor's cluster."""
    if not deployment.has_executor("KubernetesExecutor"):
        return
    from airflow.providers.cncf.kubernetes.kube_client import get_kube_client

    api: Any = get_kube_client()
    namespace = deployment.option("kubernetes_executor", "namespace", "default")
    yield from permissions(api, namespace)
    try:
        compute = deployment.choice.build()
    except ConfigurationError:
        return  # told by computes
    if isinstance(compute, KubernetesCompute):
        for capacity in CapacityType:
            yield from nodes(api, capacity, compute.node_selector_of(capacity))


def permissions(api: Any, namespace: str) -> Iterator[Finding]:
    """Yield what may not be looked at, of what tells why a pod is gone."""
    lost = "A lost pod cannot be told from a crash: on demand its end is the author's."
    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        (f"get pods in {namespace}", lambda: ask(api.read_namespaced_pod, _NOBODY, namespace)),
        (f"list pods in {namespace}", lambda: _first(api.list_namespaced_pod, namespace)),
        (f"list events in {namespace}", lambda: _first(api.list_namespaced_event, namespace)),
        ("get nodes", lambda: ask(api.read_node, _NOBODY)),
    )
    for permission, call in calls:
        if _refused(call):
            yield not_permitted(permission, lost)


def nodes(api: Any, capacity: CapacityType, selector: str) -> Iterator[Finding]:
    """Yield that no node has the labels for a capacity, or that this cannot be seen.

    :param selector: as ``kubectl get nodes -l`` takes it.
    """
    found: list[Any] = []
    if _refused(lambda: found.extend(_first(api.list_node, label_selector=selector).items)):
        yield Finding(
            id="kubernetes/nodes-unseen",
            severity=Severity.INFO,
            setting="permission list nodes",
            value="refused",
            better=f"see for yourself: kubectl get nodes -l '{selector}'",
            why=f"Whether there are nodes that can run attempts {capacity.phrase} could not be looked at.",
            link="docs/kubernetes.md#6-permissions-for-evidence",
        )
    elif not found:
        yield Finding(
            id="kubernetes/no-node",
            severity=Severity.WARNING,
            setting="[interruptible] compute_options",
            value=f"no node for attempts {capacity.phrase}: {selector}",
            better="labels that such nodes have",
            why="No node has these labels now. That is right where an autoscaler starts the first one; else such "
            "attempts wait, those on spot for spot_timeout.",
            link="docs/kubernetes.md",
        )


def _first(call: Callable[..., Any], *arguments: str, **options: str) -> Any:
    return call(*arguments, **options, limit=1, _request_timeout=SECONDS)


def _refused(call: Callable[[], object]) -> bool:
    """Whether the API refuses a call.

    :raises Exception: whatever else the client raises.
    """
    try:
        call()
    except Exception as error:
        if getattr(error, "status", None) == _FORBIDDEN:
            return True
        raise
    return False
