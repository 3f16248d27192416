# SPDX-License-Identifier: Apache-2.0
"""What is added to a pod so that it lands on one capacity: pure functions on a pod as the API's JSON spells it.

Nothing is ever removed: a patch adds tolerations, node selectors, node affinity requirements and labels. It must not
know vendors, Airflow or the Kubernetes client.

Surprising: required node affinity terms are ORed, so a requirement has to go into every one of them. A term without
expressions and fields matches no node, so adding to it would widen it: it stays.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#node-affinity
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Pod = Mapping[str, Any]
Requirement = Mapping[str, Any]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True)
class PodPatch:
    """What a pod needs to land on one capacity. Everything is spelled as in the API's JSON.

    :param node_selector: labels of the node.
    :param tolerations: of the taints of the node.
    :param match_expressions: node affinity requirements, all of which must hold.
    :param labels: of the pod itself; they place nothing, and tell cost tools.
    :param own_labels: labels of ours, which nobody else may set.
    """

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    match_expressions: Sequence[Requirement] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    own_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def selects(self) -> bool:
        """Whether it keeps a pod off any node at all."""
        return bool(self.node_selector or self.match_expressions)

    @property
    def label_selector(self) -> str:
        """Which nodes it selects, as the API takes it. ``Gt`` and ``Lt`` cannot be said there.

        https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
        """
        rules = [*_as_requirements(self.node_selector), *self.match_expressions]
        return ",".join(text for rule in rules if (text := _as_text(rule)))

    def and_also(self, other: PodPatch) -> PodPatch:
        """Return both; on a clash of labels ``other`` wins."""
        return PodPatch(
            {**self.node_selector, **other.node_selector},
            _union(other.tolerations, self.tolerations),
            _union(self.match_expressions, other.match_expressions),
            {**self.labels, **other.labels},
            {**self.own_labels, **other.own_labels},
        )


def patched(pod: Pod, patch: PodPatch, template: Pod | None = None) -> dict[str, Any]:
    """Return ``pod`` with ``patch`` added; no argument is changed. A label that the author gave a value keeps it.

    :param pod: the override that its author wrote.
    :param patch: what is added. Its ``own_labels`` replace the author's: they say what was asked for this time.
    :param template: the pod that Airflow will merge the override into. Airflow takes ``nodeSelector``,
        ``tolerations`` and ``affinity`` from the override alone once it has them, so the template's are carried over.
    """
    own = effective_spec(pod, template or {})
    spec = {**(pod.get("spec") or {})}
    if patch.node_selector:
        spec["nodeSelector"] = {**own["nodeSelector"], **patch.node_selector}
    if patch.tolerations:
        spec["tolerations"] = _union(patch.tolerations, own["tolerations"])
    if patch.match_expressions:
        spec["affinity"] = _with_requirements(own["affinity"], patch.match_expressions)
    metadata = {**(pod.get("metadata") or {})}
    metadata["labels"] = {**patch.labels, **(metadata.get("labels") or {}), **patch.own_labels}
    return {**pod, "metadata": metadata, "spec": {"containers": [], **spec}}


def effective_spec(pod: Pod, template: Pod) -> dict[str, Any]:
    """Return where the pod may run once Airflow has merged it into ``template`` (``PodGenerator.reconcile_specs``)."""
    spec, base = pod.get("spec") or {}, template.get("spec") or {}
    affinity = spec.get("affinity")
    return {
        "nodeSelector": spec.get("nodeSelector") or base.get("nodeSelector") or {},
        "tolerations": spec.get("tolerations") or base.get("tolerations") or [],
        "affinity": (base.get("affinity") if affinity is None else affinity) or {},
    }


def contradiction(spec: Pod, patch: PodPatch) -> tuple[Requirement, Requirement] | None:
    """Return what the author asks for and what ``patch`` asks for, if no node can have both; None if one can.

    ``Gt`` and ``Lt`` are not judged.
    """
    ours = [*_as_requirements(patch.node_selector), *patch.match_expressions]
    clashes = [_first_clash(theirs, ours) for theirs in _alternatives(spec)]
    return clashes[0] if all(clashes) else None


def _union(first: Sequence[Mapping[str, Any]], then: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return those of ``first`` that ``then`` has not, followed by ``then``."""
    return [*(dict(item) for item in first if item not in then), *(dict(item) for item in then)]


def _with_requirements(affinity: Mapping[str, Any], requirements: Sequence[Requirement]) -> dict[str, Any]:
    node = affinity.get("nodeAffinity") or {}
    required = node.get(_REQUIRED) or {}
    terms = required.get("nodeSelectorTerms")
    narrowed = [_narrowed(term, requirements) for term in terms] if terms else [_term(requirements)]
    return {**affinity, "nodeAffinity": {**node, _REQUIRED: {**required, "nodeSelectorTerms": narrowed}}}


def _term(requirements: Sequence[Requirement]) -> dict[str, Any]:
    return {"matchExpressions": [dict(requirement) for requirement in requirements]}


def _narrowed(term: Mapping[str, Any], requirements: Sequence[Requirement]) -> dict[str, Any]:
    if not any(term.values()):
        return dict(term)
    every = [*(term.get("matchExpressions") or []), *(dict(requirement) for requirement in requirements)]
    ours_once = [one for place, one in enumerate(every) if one not in requirements or one not in every[:place]]
    return {**term, "matchExpressions": ours_once}


def _as_requirements(selector: Mapping[str, str]) -> list[Requirement]:
    return [{"key": key, "operator": "In", "values": [value]} for key, value in selector.items()]


def _as_text(rule: Requirement) -> str:
    key, values = str(rule["key"]), ",".join(rule.get("values") or ())
    forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key, "DoesNotExist": f"!{key}"}
    return forms.get(rule["operator"], "")


def _alternatives(spec: Pod) -> Iterator[list[Requirement]]:
    """Yield, for each way in which a node can satisfy the author, all that it must then have."""
    selector = _as_requirements(spec["nodeSelector"])
    required = ((spec["affinity"].get("nodeAffinity") or {}).get(_REQUIRED)) or {}
    for term in required.get("nodeSelectorTerms") or [{}]:
        yield [*selector, *(term.get("matchExpressions") or [])]


def _first_clash(theirs: Sequence[Requirement], ours: Sequence[Requirement]) -> tuple[Requirement, Requirement] | None:
    return next(((one, other) for one in theirs for other in ours if _clash(one, other) or _clash(other, one)), None)


def _clash(one: Requirement, other: Requirement) -> bool:
    """Whether no label can satisfy both."""
    if one["key"] != other["key"]:
        return False
    values, others = set(one.get("values") or ()), set(other.get("values") or ())
    match one["operator"], other["operator"]:
        case "In", "In":
            return not values & others
        case "In", "NotIn":
            return values <= others
        case "In" | "Exists", "DoesNotExist":
            return True
    return False
