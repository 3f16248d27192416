# SPDX-License-Identifier: Apache-2.0
"""Pods of KubernetesExecutor that no node has taken: which there are, why they wait, how one is taken away.

It must not know attempts or the database, only pods. What is private to the provider is named here and nowhere else.

Surprising: KubernetesExecutor never learns that a pod it waits for was deleted, and keeps its slot for it
(``process_status`` in ``kubernetes_executor_utils.py``). So the pod first gets the label that the executor itself puts
on pods it is done with: it leaves the executor's watch, which frees the slot. The label is put on the very version of
the pod that was looked at, so a pod that has found its node meanwhile is left alone. The role of the official chart
allows all of this: https://github.com/apache/airflow/blob/main/chart/templates/rbac/pod-launcher-role.yaml
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.classification import classify
from airflow_interruptible.remote import kubernetes_remains as remains
from airflow_interruptible.remote.answer import Answer, each, inside, moment, pick
from airflow_interruptible.remote.kubernetes_client import SECONDS
from airflow_interruptible.rules import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from airflow_interruptible.core.classification import Classification

_CONFLICT, _GONE = 409, 404

Key = tuple[str, str, str, int]
"""A task instance: Dag id, task id, run id, map index."""

AUTOSCALERS = frozenset(("FailedScaleUp", "FailedScheduling", "NotTriggerScaleUp"))
"""Reasons of events by which an autoscaler says that no node will come; Karpenter's is the scheduler's own word."""


@dataclass(frozen=True)
class WaitingPod:
    """A pod that was Pending when it was looked at.

    :param version: the resource version that was looked at.
    :param annotations: KubernetesExecutor's, which name the try.
    :param done: it has the executor's label already: an earlier :func:`take` was cut short.
    """

    name: str
    namespace: str
    uid: str
    version: str
    created: datetime | None
    annotations: Mapping[str, str]
    status: Mapping[str, Any]
    done: bool = False


def client() -> Any:
    """Return a client of the API that KubernetesExecutor uses, with its configuration."""
    from airflow.providers.cncf.kubernetes.kube_client import get_kube_client

    return get_kube_client()


def namespaces() -> Sequence[str | None]:
    """Return where KubernetesExecutor watches its pods; None is everywhere."""
    from airflow.configuration import conf

    if not conf.getboolean("kubernetes_executor", "multi_namespace_mode", fallback=False):
        return [conf.get("kubernetes_executor", "namespace", fallback="default")]
    listed = conf.get("kubernetes_executor", "multi_namespace_mode_namespace_list", fallback="")
    return [name.strip() for name in listed.split(",") if name.strip()] or [None]


def waiting(api: Any, namespace: str | None, scheduler: int, labels: Mapping[str, str]) -> list[WaitingPod]:
    """Return the Pending pods of a scheduler that have no node.

    :param namespace: where, None is everywhere.
    :param scheduler: the id of the scheduler's job.
    :param labels: which the pods must have.
    :raises Exception: whatever the client raises.
    """
    return _pending(api, namespace, [f"airflow-worker={scheduler}", *_equal(labels)])


def tries(api: Any, scheduler: int) -> Iterator[tuple[Key, int]]:
    """Yield the tries that have a pod of a scheduler's, whatever it does.

    :raises Exception: whatever the client raises.
    """
    for namespace in namespaces():
        for pod in _listed(api, namespace, [f"airflow-worker={scheduler}"]):
            which = try_of(inside(inside(pod, "metadata"), "annotations"))
            if which is not None:
                yield which


def try_of(annotations: Mapping[str, Any]) -> tuple[Key, int] | None:
    """Return the task instance and the try that KubernetesExecutor's annotations name."""
    try:
        key = (str(annotations["dag_id"]), str(annotations["task_id"]), str(annotations["run_id"]))
        return (*key, int(annotations.get("map_index", -1))), int(annotations["try_number"])
    except (KeyError, ValueError):
        return None


def left_over(api: Any, namespace: str | None, scheduler: int, labels: Mapping[str, str]) -> list[WaitingPod]:
    """Return the waiting pods that another scheduler has taken from its executor and not deleted: it died in between.

    An executor is done with a pod only once it has ended, so a pod that still waits is nobody's but ours.

    :raises Exception: whatever the client raises.
    """
    return _pending(api, namespace, [f"airflow-worker!={scheduler}", f"{_done_key()}=True", *_equal(labels)])


def _equal(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]


def _pending(api: Any, namespace: str | None, terms: Sequence[str]) -> list[WaitingPod]:
    found = _listed(api, namespace, terms, field_selector="status.phase=Pending")
    return [_waiting_pod(pod) for pod in found if not inside(pod, "spec").get("nodeName")]


def _listed(api: Any, namespace: str | None, terms: Sequence[str], **more: str) -> Sequence[Mapping[str, Any]]:
    """Read as JSON and from the API server's cache: in a storm there are thousands, and this process is busy."""
    query = {
        "label_selector": ",".join(["kubernetes_executor=True", *terms]),
        "resource_version": "0",
        "_preload_content": False,
        "_request_timeout": 5 * SECONDS,
        **more,
    }
    if namespace is None:
        answer = api.list_pod_for_all_namespaces(**query)
    else:
        answer = api.list_namespaced_pod(namespace, **query)
    return each(json.loads(answer.data), "items")


def _waiting_pod(pod: Mapping[str, Any]) -> WaitingPod:
    metadata = inside(pod, "metadata")
    return WaitingPod(
        name=str(metadata["name"]),
        namespace=str(metadata["namespace"]),
        uid=str(metadata["uid"]),
        version=str(metadata["resourceVersion"]),
        created=moment(metadata.get("creationTimestamp")),
        annotations=dict(inside(metadata, "annotations")),
        status=inside(pod, "status"),
        done=_done_key() in inside(metadata, "labels"),
    )


def why(pod: WaitingPod) -> Classification:
    """Return what the scheduler says of a pod that asked for a spot node: none can be had, or something else."""
    conditions = [pick(one, "type", "status", "reason", "message") for one in each(pod.status, "conditions")]
    answer = Answer("k8s", "pod status", {"conditions": conditions}).on(CapacityType.SPOT.value)
    return classify(answer.evidence(), DEFAULT_RULES)


def autoscaler_says(api: Any, pod: WaitingPod) -> str | None:
    """Return what an autoscaler last said of the pod, for people; None if it said nothing or may not be asked."""
    try:
        said = list(remains.of_pod(api, pod.name, pod.namespace, lambda _: True, AUTOSCALERS))
    except Exception:  # noqa: BLE001 - a nicety: the scheduler's own word has decided already
        return None
    return next((": ".join(str(value) for value in answer.payload.values()) for answer in said), None)


def take(api: Any, pod: WaitingPod) -> bool:
    """Take a pod from its executor and delete it, if it still waits as it did.

    :return: whether it is gone for good; False if it has changed meanwhile, so that it has to be looked at anew.
    :raises Exception: whatever else the client raises.
    """
    if not pod.done:
        labels = {"resourceVersion": pod.version, "labels": {_done_key(): "True"}}
        if not _accepted(api.patch_namespaced_pod, pod, {"metadata": labels}):
            return False
    # By its uid alone: that it was labelled proves that it waited a moment ago, and a node that came since is too late.
    return delete(api, pod)


def delete(api: Any, pod: WaitingPod) -> bool:
    """Delete a pod; no other one that has its name.

    :return: whether it is gone for good.
    :raises Exception: whatever else the client raises.
    """
    return _accepted(api.delete_namespaced_pod, pod, {"preconditions": {"uid": pod.uid}})


def _accepted(call: Any, pod: WaitingPod, body: Mapping[str, Any]) -> bool:
    """Return False if the pod is no longer the one that was looked at. One that is gone is fine."""
    try:
        call(pod.name, pod.namespace, body=body, _request_timeout=SECONDS)
    except Exception as error:
        status = getattr(error, "status", None)
        if status not in (_CONFLICT, _GONE):
            raise
        return bool(status == _GONE)
    return True


def _done_key() -> str:
    from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_types import POD_EXECUTOR_DONE_KEY

    return str(POD_EXECUTOR_DONE_KEY)
