# SPDX-License-Identifier: Apache-2.0
"""Whether a pod may run on a node, and if not, the scheduler's word for why. Pure.

The first filter that says no gives the reason, in kube-scheduler's order: cordon, taints, affinity, resources.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/

Surprising: ``NotIn`` and ``DoesNotExist`` also match a node without the label, a term without expressions matches no
node at all, and ``Gt``/``Lt`` with something that is no integer match nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubernetes_api.objects import Object, dig
from kubernetes_api.quantities import cpu_requested, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

AFFINITY = "node(s) didn't match Pod's node affinity/selector"
CORDONED = "node(s) were unschedulable"
UNTOLERATED = "node(s) had untolerated taint"


def why_not(pod: Object, node: Object, running_there: Sequence[Object]) -> str | None:
    """Why the scheduler would not put the pod on the node, in its words; None when it would.

    :param running_there: the pods that hold the node's resources now.
    """
    if dig(node, "spec", "unschedulable"):
        return CORDONED
    if taint := untolerated(pod, node, ("NoSchedule", "NoExecute")):
        return f"{UNTOLERATED} {{{taint['key']}: {taint.get('value', '')}}}"
    if not _wants(pod, node):
        return AFFINITY
    return _lacks(pod, node, running_there)


def untolerated(pod: Object, node: Object, effects: Iterable[str]) -> Object | None:
    """The first of the node's taints, of some effects, that the pod does not tolerate."""
    tolerations = dig(pod, "spec", "tolerations") or []
    for taint in dig(node, "spec", "taints") or []:
        if taint["effect"] in effects and not any(tolerates(toleration, taint) for toleration in tolerations):
            return dict(taint)
    return None


def tolerates(toleration: Mapping[str, object], taint: Mapping[str, object]) -> bool:
    """Whether a toleration matches a taint: an empty key, with Exists, or an empty effect match all."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("operator") == "Exists":
        return not toleration.get("key") or toleration["key"] == taint["key"]
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def _wants(pod: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    selector = dig(pod, "spec", "nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    required = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or [])


def _term_matches(term: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    fields = {"metadata.name": node["metadata"]["name"]}
    tests = [(expression, labels) for expression in term.get("matchExpressions") or []]
    tests += [(expression, fields) for expression in term.get("matchFields") or []]
    return bool(tests) and all(_matches(expression, values) for expression, values in tests)


def _matches(expression: Object, labels: Mapping[str, str]) -> bool:
    return _OPERATORS[expression["operator"]](labels.get(expression["key"]), expression.get("values") or [])


def _compare(value: str | None, bounds: Sequence[str], holds: Callable[[int, int], bool]) -> bool:
    try:
        return value is not None and len(bounds) == 1 and holds(int(value), int(bounds[0]))
    except ValueError:
        return False


_OPERATORS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: _compare(value, values, int.__gt__),
    "Lt": lambda value, values: _compare(value, values, int.__lt__),
}
NODE_OPERATORS = frozenset(_OPERATORS)


def _lacks(pod: Object, node: Object, running_there: Sequence[Object]) -> str | None:
    room = dig(node, "status", "allocatable") or {}
    if len(running_there) + 1 > quantity(room.get("pods", "110")):
        return "Too many pods"
    wanted = sum(map(cpu_requested, (pod, *running_there)))
    return "Insufficient cpu" if wanted > quantity(room.get("cpu", "8")) else None
