# SPDX-License-Identifier: Apache-2.0
"""What the API server does to a pod before it is stored: fills in defaults, refuses what breaks a rule. Pure.

The rules are the part of the validation that a placement tool can get wrong: names, labels, tolerations, node affinity.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodSpec

Surprising: every pod gets two tolerations it did not ask for, for a node that is lost, of 300 seconds each.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from kubernetes_api.errors import ApiError, invalid
from kubernetes_api.objects import Object, dig
from kubernetes_api.placement import NODE_OPERATORS

if TYPE_CHECKING:
    from collections.abc import Iterator

Cause = tuple[str, str]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_MAX_NAME = 253
_MAX_LABEL = 63
_LOST_NODE_SECONDS = 300
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS_WITHOUT_VALUES = ("Exists", "DoesNotExist")
_MUTABLE = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations")
_SPEC_DEFAULTS = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "serviceAccountName": "default",
    "serviceAccount": "default",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
}
_CONTAINER_DEFAULTS = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}


def admit_pod(pod: Object) -> None:
    """Check a new pod and fill in its defaults, in place.

    :raises ApiError: 422, with one cause a fault.
    """
    causes = [*_metadata(pod["metadata"]), *_spec(pod.get("spec") or {})]
    if causes:
        raise invalid("Pod", pod["metadata"].get("name", ""), causes)
    spec = pod["spec"]
    _fill(spec, _SPEC_DEFAULTS)
    for container in (spec.get("initContainers") or []) + spec["containers"]:
        _fill(container, _CONTAINER_DEFAULTS)
    spec["tolerations"] = [*(spec.get("tolerations") or []), *_default_tolerations(spec)]
    pod["status"] = {"phase": "Pending", "qosClass": "Burstable" if _requests(spec) else "BestEffort"}


def check_labels(kind: str, metadata: Object) -> None:
    """Check the labels of any object.

    :raises ApiError: 422.
    """
    if causes := list(_labels(metadata.get("labels") or {})):
        raise invalid(kind, metadata.get("name", ""), causes)


def check_spec_update(before: Object, after: Object) -> None:
    """Refuse a change of the spec of a pod that exists, but for its image, deadline and further tolerations.

    https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement

    :raises ApiError: 422.
    """
    old, new = _frozen_part(before["spec"]), _frozen_part(after["spec"])
    tolerated, tolerates_now = before["spec"].get("tolerations") or [], after["spec"].get("tolerations") or []
    if old == new and all(each in tolerates_now for each in tolerated):
        return
    what = (
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    message = f'Pod "{after["metadata"]["name"]}" is invalid: spec: Forbidden: {what}'
    raise ApiError(422, "Invalid", message, {"causes": [{"reason": "FieldValueForbidden", "field": "spec"}]})


def _frozen_part(spec: Object) -> Object:
    frozen = copy.deepcopy({key: value for key, value in spec.items() if key not in _MUTABLE})
    for container in (frozen.get("initContainers") or []) + frozen["containers"]:
        container.pop("image", None)
    return frozen


def _fill(target: Object, defaults: Object) -> None:
    for key, value in defaults.items():
        if target.get(key) is None:
            target[key] = copy.deepcopy(value)


def _requests(spec: Object) -> bool:
    return any(container["resources"] for container in spec["containers"])


def _default_tolerations(spec: Object) -> Iterator[Object]:
    """The admission plug-in DefaultTolerationSeconds: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/."""
    for condition in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{condition}"
        if not any(each.get("key") in (key, None, "") for each in spec.get("tolerations") or []):
            yield {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _LOST_NODE_SECONDS}


def _metadata(metadata: Object) -> Iterator[Cause]:
    name = metadata.get("name") or ""
    if len(name) > _MAX_NAME or not _SUBDOMAIN.fullmatch(name):
        yield "metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain is required'
    yield from _labels(metadata.get("labels") or {})


def _labels(labels: Object) -> Iterator[Cause]:
    for key, value in labels.items():
        prefix, _, word = key.rpartition("/")
        if len(word) > _MAX_LABEL or not _LABEL_WORD.fullmatch(word) or (prefix and not _SUBDOMAIN.fullmatch(prefix)):
            yield "metadata.labels", f'Invalid value: "{key}": not a qualified name'
        if not isinstance(value, str) or len(value) > _MAX_LABEL or (value and not _LABEL_WORD.fullmatch(value)):
            yield "metadata.labels", f'Invalid value: "{value}": must be at most 63 characters of [-A-Za-z0-9_.]'


def _spec(spec: Object) -> Iterator[Cause]:
    containers = (spec.get("initContainers") or []) + (spec.get("containers") or [])
    if not spec.get("containers"):
        yield "spec.containers", "Required value"
    names = [container.get("name") for container in containers]
    if len(set(names)) < len(names):
        yield "spec.containers[].name", "Duplicate value"
    yield from _restarts(spec, containers)
    for index, toleration in enumerate(spec.get("tolerations") or []):
        yield from _toleration(f"spec.tolerations[{index}]", toleration)
    yield from _node_affinity(dig(spec, "affinity", "nodeAffinity") or {})


def _restarts(spec: Object, containers: list[Object]) -> Iterator[Cause]:
    ours = "this API of ours for tests never restarts a container: say restartPolicy Never"
    if spec.get("restartPolicy") != "Never":
        yield "spec.restartPolicy", f'Unsupported value: "{spec.get("restartPolicy") or "Always"}": {ours}'
    if any(container.get("restartPolicy") for container in containers):
        yield "spec.initContainers[].restartPolicy", f"Unsupported value: {ours}"


def _toleration(field: str, toleration: Object) -> Iterator[Cause]:
    operator = toleration.get("operator") or "Equal"
    if operator not in ("Exists", "Equal"):
        yield f"{field}.operator", f'Unsupported value: "{operator}": supported values: "Equal", "Exists"'
    if not toleration.get("key") and operator != "Exists":
        yield f"{field}.operator", "Invalid value: operator must be Exists when `key` is empty"
    if operator == "Exists" and toleration.get("value"):
        yield f"{field}.operator", "Invalid value: value must be empty when `operator` is 'Exists'"
    if toleration.get("effect") and toleration["effect"] not in _EFFECTS:
        yield f"{field}.effect", f'Unsupported value: "{toleration["effect"]}"'
    if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
        yield f"{field}.effect", "Invalid value: effect must be 'NoExecute' when `tolerationSeconds` is set"


def _node_affinity(affinity: Object) -> Iterator[Cause]:
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    field = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    if required is None:
        return
    if not required.get("nodeSelectorTerms"):
        yield field, "Required value: must have at least one node selector term"
    for index, term in enumerate(required.get("nodeSelectorTerms") or []):
        for expression in term.get("matchExpressions") or []:
            yield from _expression(f"{field}[{index}].matchExpressions", expression)


def _expression(field: str, expression: Object) -> Iterator[Cause]:
    operator, values = expression.get("operator"), expression.get("values") or []
    if operator not in NODE_OPERATORS:
        yield f"{field}.operator", f'Invalid value: "{operator}": not a valid selector operator'
    elif operator in _OPERATORS_WITHOUT_VALUES and values:
        yield f"{field}.values", "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
    elif operator in ("In", "NotIn") and not values:
        yield f"{field}.values", "Required value: must be specified when `operator` is 'In' or 'NotIn'"
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield f"{field}.values", "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'"
