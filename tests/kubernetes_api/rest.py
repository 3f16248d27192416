# SPDX-License-Identifier: Apache-2.0
"""Create, read, replace, patch and delete, for every resource alike; and the eviction of a pod.

It knows no HTTP: a request comes as a :class:`Request`, an answer goes as JSON, a refusal as an ApiError.
https://kubernetes.io/docs/reference/using-api/api-concepts/

Surprising: a write to an object ignores its status, and a write to ``/status`` ignores everything else.
"""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubernetes_api import patches
from kubernetes_api.admission import admit_pod, check_labels, check_spec_update
from kubernetes_api.errors import ApiError, bad_request, conflict, not_found, status
from kubernetes_api.objects import NO_NAMESPACE, Key, Object, dig, now, seconds_stamp
from kubernetes_api.registry import delete_pod
from kubernetes_api.selectors import both

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubernetes_api.disruptions import Disruptions
    from kubernetes_api.resources import Resource
    from kubernetes_api.store import Store

_PATCHES: Mapping[str, Callable[[Any, Any], Any]] = {
    "application/json-patch+json": patches.json_patch,
    "application/merge-patch+json": patches.merge_patch,
    "application/strategic-merge-patch+json": patches.strategic_merge_patch,
}
_KEPT_METADATA = (
    "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What a client asks for.

    :param namespace: None when the URL names none.
    :param name: empty for a collection.
    :param content_type: of the body.
    """

    resource: Resource
    namespace: str | None
    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"

    @property
    def key(self) -> Key:
        """Where the object is that the request is about."""
        return Key(self.resource.name, self.namespace or NO_NAMESPACE, self.name)

    @property
    def dry_run(self) -> bool:
        """Whether nothing may come of it."""
        return self.query.get("dryRun") == "All"


class Rest:
    """The API server, less its transport."""

    def __init__(self, store: Store, disruptions: Disruptions) -> None:
        self._store, self._disruptions = store, disruptions

    def items(self, request: Request) -> list[Object]:
        """The objects that a list selects."""
        query = request.query
        selected = both(request.resource.name, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        return [item for item in self._store.all(request.resource.name, request.namespace) if selected(item)]

    def read(self, request: Request) -> Object:
        """One object."""
        return self._store.get(request.key)

    def create(self, request: Request) -> Object:
        """Store a new object.

        :raises ApiError: 409 when the name is taken, 404 when the namespace is missing, 422 when it breaks a rule.
        """
        new = self._checked(request)
        metadata = new["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=seconds_stamp(now()), generation=1)
        if request.resource.name == "pods":
            admit_pod(new)
        check_labels(request.resource.kind, metadata)
        key = request.key._replace(name=metadata["name"])
        return new if request.dry_run else self._store.create(key, new)

    def replace(self, request: Request, part: str = "") -> Object:
        """Replace an object, or its ``status``.

        :raises ApiError: 409 when the body names another version than there is.
        """
        return self._write(request, lambda _: copy.deepcopy(request.body), part)

    def patch(self, request: Request, part: str = "") -> Object:
        """Patch an object, or its ``status``.

        :raises ApiError: 415 for a flavour we do not have.
        """
        apply = _PATCHES.get(request.content_type)
        if apply is None:
            accepted = f"accepted media types include: {', '.join(_PATCHES)}"
            message = f"the body of the request was in an unknown format - {accepted}"
            raise ApiError(415, "UnsupportedMediaType", message)
        return self._write(request, lambda current: apply(current, request.body), part)

    def delete(self, request: Request) -> Object:
        """Delete an object; a pod gracefully.

        :raises ApiError: 409 when the body's preconditions do not hold.
        """
        current = self._store.get(request.key)
        options = request.body or {}
        uid = dig(options, "preconditions", "uid")
        if uid and uid != current["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {current['metadata']['uid']}"
            raise conflict(request.resource.name, request.name, why)
        version = dig(options, "preconditions", "resourceVersion")
        if version and version != current["metadata"]["resourceVersion"]:
            there = current["metadata"]["resourceVersion"]
            why = f"Precondition failed: ResourceVersion in precondition: {version}, in object meta: {there}"
            raise conflict(request.resource.name, request.name, why)
        if request.dry_run:
            return current
        if request.resource.name == "pods":
            return delete_pod(self._store, current, _grace(request))
        self._store.delete(request.key)
        details = {"name": request.name, "kind": request.resource.name, "uid": current["metadata"]["uid"]}
        return status("Success", 200, details=details)

    def delete_all(self, request: Request) -> list[Object]:
        """Delete what a list selects."""
        found = self.items(request)
        for item in found:
            if request.resource.name == "pods":
                delete_pod(self._store, item, _grace(request))
            else:
                namespace = item["metadata"].get("namespace", NO_NAMESPACE)
                self._store.delete(Key(request.resource.name, namespace, item["metadata"]["name"]))
        return found

    def evict(self, request: Request) -> Object:
        """The eviction subresource of a pod.

        https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
        """
        grace = dig(request.body, "deleteOptions", "gracePeriodSeconds")
        pod = self._store.get(request.key)
        if not request.dry_run:
            self._disruptions.evict(pod, grace)
        return status("Success", 201)

    def _checked(self, request: Request) -> Object:
        if not isinstance(request.body, dict):
            raise bad_request("the body of the request is not an object")
        new = copy.deepcopy(request.body)
        if new.get("kind", request.resource.kind) != request.resource.kind:
            raise bad_request(f"the object provided is unrecognized: {new['kind']} is not {request.resource.kind}")
        new.update(kind=request.resource.kind, apiVersion="v1")
        metadata = new.setdefault("metadata", {})
        if request.resource.namespaced:
            namespace = request.namespace or ""
            if metadata.get("namespace") not in (None, namespace):
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            if self._store.find(Key("namespaces", NO_NAMESPACE, namespace)) is None:
                raise not_found("namespaces", namespace)
            metadata["namespace"] = namespace
        return new

    def _write(self, request: Request, make: Callable[[Object], Object], part: str) -> Object:
        current = self._store.get(request.key)
        made = make(current)
        wanted = dig(made, "metadata", "resourceVersion")
        if wanted and wanted != current["metadata"]["resourceVersion"]:
            raise conflict(request.resource.name, request.name)
        new = _merged(current, made, part)
        check_labels(request.resource.kind, new["metadata"])
        if request.resource.name == "pods":
            check_spec_update(current, new)
        if request.dry_run:
            return new
        return self._store.modify(request.key, lambda it: _become(it, new))


def _merged(current: Object, made: Object, part: str) -> Object:
    """What a write leaves of the object that is there."""
    if part == "status":
        return {**current, "status": made.get("status") or {}}
    new = {**made, "kind": current["kind"], "apiVersion": current["apiVersion"]}
    if "status" in current:
        new["status"] = current["status"]
    before, metadata = current["metadata"], dict(made.get("metadata") or {})
    metadata.update({name: before[name] for name in _KEPT_METADATA if name in before})
    metadata.update(name=before["name"], resourceVersion=before["resourceVersion"])
    return {**new, "metadata": metadata}


def _become(target: Object, new: Object) -> None:
    target.clear()
    target.update(copy.deepcopy(new))


def _grace(request: Request) -> float | None:
    asked = request.query.get("gracePeriodSeconds", (request.body or {}).get("gracePeriodSeconds"))
    if asked is None:
        return None
    seconds = float(asked)
    if seconds < 0:
        raise bad_request("gracePeriodSeconds must be greater than or equal to 0")
    return seconds
