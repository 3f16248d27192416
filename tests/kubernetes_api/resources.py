# SPDX-License-Identifier: Apache-2.0
"""Which resources this API has, and the documents by which clients discover them.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes_api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubernetes_api.objects import Object

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.0",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2025-04-23T13:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
"""The release whose documentation this API follows."""


@dataclass(frozen=True)
class Resource:
    """One kind of the core group.

    :param name: the plural, as in URLs.
    :param subresources: the kind of each.
    """

    name: str
    kind: str
    namespaced: bool
    short: Sequence[str] = ()
    subresources: Mapping[str, str] | None = None


RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource("pods", "Pod", True, ["po"], {"status": "Pod", "log": "Pod", "eviction": "Eviction"}),
        Resource("events", "Event", True, ["ev"]),
        Resource("configmaps", "ConfigMap", True, ["cm"]),
        Resource("secrets", "Secret", True),
        Resource("nodes", "Node", False, ["no"], {"status": "Node"}),
        Resource("namespaces", "Namespace", False, ["ns"]),
    )
}


def resource_named(name: str) -> Resource:
    """Look a resource up.

    :raises ApiError: 404, as for any URL the API does not have.
    """
    if name not in RESOURCES:
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    return RESOURCES[name]


def core_resources() -> Object:
    """The answer to ``/api/v1``."""
    listed: list[Object] = []
    for resource in RESOURCES.values():
        listed.append(
            {
                "name": resource.name,
                "singularName": resource.kind.lower(),
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": _VERBS,
                "shortNames": list(resource.short),
            }
        )
        listed += [_subresource(resource, name, kind) for name, kind in (resource.subresources or {}).items()]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": listed}


def _subresource(resource: Resource, name: str, kind: str) -> Object:
    verbs = {"log": ["get"], "eviction": ["create"]}.get(name, ["get", "patch", "update"])
    document: Object = {
        "name": f"{resource.name}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": verbs,
    }
    return document | ({"group": "policy", "version": "v1"} if kind == "Eviction" else {})


def api_versions() -> Object:
    """The answer to ``/api``."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def api_groups() -> Object:
    """The answer to ``/apis``: there is no other group."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
