# SPDX-License-Identifier: Apache-2.0
"""Label and field selectors of lists and watches: text in, a predicate out. Pure.

Surprising: ``a!=b`` and ``a notin (b)`` also select what has no label ``a`` at all.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from kubernetes_api.errors import bad_request
from kubernetes_api.objects import Object, dig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Predicate: TypeAlias = "Callable[[Object], bool]"
Requirement: TypeAlias = "Callable[[Mapping[str, str]], bool]"

_KEY = r"(?P<key>[A-Za-z0-9][\w./-]*)"
_VALUE = r"(?P<value>[\w.-]*)"
_BETWEEN_REQUIREMENTS = re.compile(r",(?![^()]*\))")
_FORMS = (
    (re.compile(rf"^{_KEY}\s+(?P<how>in|notin)\s*\((?P<values>[^()]*)\)$"), "set"),
    (re.compile(rf"^{_KEY}\s*!=\s*{_VALUE}$"), "unequal"),
    (re.compile(rf"^{_KEY}\s*==?\s*{_VALUE}$"), "equal"),
    (re.compile(rf"^!\s*{_KEY}$"), "absent"),
    (re.compile(rf"^{_KEY}$"), "present"),
)
_FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
             "status.podIP", "status.nominatedNodeName"),
    "events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
               "reportingComponent", "source", "type"),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
}  # fmt: skip
"""Which fields can be selected on, besides name and namespace, as the documentation lists them."""


def label_selector(text: str) -> Predicate:
    """Parse a label selector; the empty one selects everything.

    :raises ApiError: 400, when it cannot be parsed.
    """
    requirements = [_requirement(part.strip()) for part in _BETWEEN_REQUIREMENTS.split(text) if part.strip()]

    def selects(item: Object) -> bool:
        labels = item["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return selects


def field_selector(resource: str, text: str) -> Predicate:
    """Parse a field selector; the empty one selects everything.

    :raises ApiError: 400, for a field that this resource cannot be selected by.
    """
    tests = [_field_test(resource, part.strip()) for part in text.split(",") if part.strip()]
    return lambda item: all(test(item) for test in tests)


def both(resource: str, labels: str, fields: str) -> Predicate:
    """Parse the two selectors of a request."""
    by_label, by_field = label_selector(labels), field_selector(resource, fields)
    return lambda item: by_label(item) and by_field(item)


def _requirement(text: str) -> Requirement:
    for pattern, form in _FORMS:
        if match := pattern.match(text):
            return _REQUIREMENTS[form](match)
    raise bad_request(f"unable to parse requirement: {text!r} is not a label selector")


def _set(match: re.Match[str]) -> Requirement:
    key, wanted = match["key"], match["how"] == "in"
    values = {value.strip() for value in match["values"].split(",")}
    return lambda labels: (labels.get(key) in values) == wanted


def _equality(match: re.Match[str], wanted: bool) -> Requirement:
    key, value = match["key"], match["value"]
    return lambda labels: (labels.get(key) == value) == wanted


def _presence(match: re.Match[str], wanted: bool) -> Requirement:
    key = match["key"]
    return lambda labels: (key in labels) == wanted


_REQUIREMENTS: dict[str, Callable[[re.Match[str]], Requirement]] = {
    "set": _set,
    "equal": lambda match: _equality(match, wanted=True),
    "unequal": lambda match: _equality(match, wanted=False),
    "present": lambda match: _presence(match, wanted=True),
    "absent": lambda match: _presence(match, wanted=False),
}


def _field_test(resource: str, text: str) -> Predicate:
    match = re.match(r"^(?P<field>[\w.]+)(?P<how>!=|==?)(?P<value>.*)$", text)
    if not match:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    field, value, wanted = match["field"], match["value"], match["how"] != "!="
    if field not in ("metadata.name", "metadata.namespace", *_FIELDS.get(resource, ())):
        raise bad_request(f"field label not supported: {field}")
    return lambda item: (str(dig(item, *field.split(".")) or "") == value) == wanted
