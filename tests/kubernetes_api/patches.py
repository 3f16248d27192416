# SPDX-License-Identifier: Apache-2.0
"""The three patch flavours as pure functions: object and patch in, new object out.

https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
JSON merge patch is RFC 7386, JSON patch RFC 6902. A strategic merge patch also merges some lists, by a key that the API
types declare (``patchMergeKey`` in their Go tags).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from kubernetes_api.errors import ApiError, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_api.objects import Object

MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "ports": "containerPort",
    "resourceClaims": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists that are merged item by item, and what tells the items; every other list is replaced whole.

https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.33/ ("patch strategy: merge, patch merge key").
Tolerations, taints and node selector terms have none: a patch replaces them.
"""


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch: null removes, lists are replaced."""
    return _merge(target, patch, lambda _, __, items: items)


def strategic_merge_patch(target: Any, patch: Any) -> Any:
    """Apply a strategic merge patch, with ``$patch: delete`` and ``$patch: replace``."""
    return _merge(target, patch, _merge_list)


def json_patch(target: Object, operations: list[Object]) -> Any:
    """Apply a JSON patch.

    :raises ApiError: 422 when a ``test`` fails or a path does not exist, and then nothing is changed.
    """
    document: Any = copy.deepcopy(target)
    try:
        for operation in operations:
            document = _OPERATIONS[operation["op"]](document, operation)
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise ApiError(422, "Invalid", f"the server rejected our request: {wrong!r}") from wrong
    return document


def _merge(target: Any, patch: Any, merge_list: Callable[[str, Any, list[Any]], list[Any]]) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, list):
            merged[key] = merge_list(key, merged.get(key), value)
        else:
            merged[key] = _merge(merged.get(key), value, merge_list)
    return merged


def _merge_list(name: str, current: Any, items: list[Any]) -> list[Any]:
    merge_key = MERGE_KEYS.get(name)
    if merge_key is None:
        return copy.deepcopy(items)
    merged = {} if {"$patch": "replace"} in items else {item[merge_key]: item for item in current or []}
    for item in items:
        if item == {"$patch": "replace"}:
            continue
        if merge_key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {merge_key}")
        if item.get("$patch") == "delete":
            merged.pop(item[merge_key], None)
        else:
            merged[item[merge_key]] = strategic_merge_patch(merged.get(item[merge_key]), item)
    return list(merged.values())


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is not a JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _at(document: Any, steps: list[str]) -> Any:
    for step in steps:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def _add(document: Any, pointer: str, value: Any) -> Any:
    *parents, last = _steps(pointer)
    parent = _at(document, parents)
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        parent[last] = value
    return document


def _remove(document: Any, pointer: str) -> Any:
    *parents, last = _steps(pointer)
    parent = _at(document, parents)
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def _replace(document: Any, operation: Object) -> Any:
    return _add(_remove(document, operation["path"]), operation["path"], copy.deepcopy(operation["value"]))


def _test(document: Any, operation: Object) -> Any:
    if _at(document, _steps(operation["path"])) != operation["value"]:
        raise ValueError("the test failed")
    return document


def _move(document: Any, operation: Object) -> Any:
    value = _at(document, _steps(operation["from"]))
    return _add(_remove(document, operation["from"]), operation["path"], value)


_OPERATIONS: dict[str, Callable[[Any, Object], Any]] = {
    "add": lambda document, operation: _add(document, operation["path"], copy.deepcopy(operation["value"])),
    "remove": lambda document, operation: _remove(document, operation["path"]),
    "replace": _replace,
    "test": _test,
    "move": _move,
    "copy": lambda document, operation: _add(
        document, operation["path"], copy.deepcopy(_at(document, _steps(operation["from"])))
    ),
}
