# SPDX-License-Identifier: Apache-2.0
"""The two answers that take their time: watches and logs.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes

Surprising: a watch with a selector sees an object that leaves the selection as DELETED, in its last selected form: that
is how Airflow's executor notices that a pod was adopted by another scheduler.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kubernetes_api.container_log import LogOptions
from kubernetes_api.errors import ApiError, bad_request, not_found
from kubernetes_api.nodes import node_key
from kubernetes_api.objects import Object, dig
from kubernetes_api.representation import one
from kubernetes_api.selectors import Predicate, both

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from kubernetes_api.kubelet import Kubelets
    from kubernetes_api.rest import Request
    from kubernetes_api.store import Change, Store

_DEFAULT_WATCH_SECONDS = 1800.0
_TRUE = ("1", "t", "T", "true", "True", "TRUE")


def is_set(query: Mapping[str, str], name: str) -> bool:
    """Whether a boolean query parameter is true, in any of Go's spellings."""
    return query.get(name) in _TRUE


class Watches:
    """Turns the store's changes into the events of a watch."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, request: Request, *, metadata_only: bool) -> AsyncIterator[bytes]:
        """The events of one watch, a line each, until its time is over or its history is gone.

        :raises ApiError: 400 for a selector or a version that cannot be parsed.
        """
        query = request.query
        selected = both(request.resource.name, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        watch = _Watch(request, selected, metadata_only)
        return self._follow(watch, _revision(query), float(query.get("timeoutSeconds") or _DEFAULT_WATCH_SECONDS))

    async def _follow(self, watch: _Watch, revision: int, seconds: float) -> AsyncIterator[bytes]:
        end = asyncio.get_running_loop().time() + seconds
        start = [] if revision else list(watch.there(self._store))
        revision = revision or self._store.revision
        for line in start:
            yield line
        try:
            while True:
                for change in self._store.changes_after(revision):
                    revision = change.revision
                    for line in watch.seen(change):
                        yield line
                await self._more(revision, end)
        except ApiError as gone:
            yield _line("ERROR", gone.status())
        except asyncio.TimeoutError:
            for line in watch.bookmark(revision):
                yield line

    async def _more(self, revision: int, end: float) -> None:
        await asyncio.wait_for(self._store.beyond(revision), end - asyncio.get_running_loop().time())


@dataclass(frozen=True)
class _Watch:
    """What one watch wants to see, and how; each method gives the lines."""

    request: Request
    selected: Predicate
    metadata_only: bool

    def there(self, store: Store) -> Iterator[bytes]:
        """What is there when the watch begins."""
        for item in store.all(self.request.resource.name, self.request.namespace):
            if self._shows(item):
                yield self._line("ADDED", item)

    def seen(self, change: Change) -> Iterator[bytes]:
        """One change, through the selection."""
        key = change.key
        if key.resource != self.request.resource.name or self.request.namespace not in (None, key.namespace):
            return
        before = change.previous is not None and self._shows(change.previous)
        if change.type != "DELETED" and self._shows(change.object):
            yield self._line("MODIFIED" if before else "ADDED", change.object)
        elif before and change.previous is not None:
            version = {"resourceVersion": str(change.revision)}
            yield self._line("DELETED", {**change.previous, "metadata": {**change.previous["metadata"], **version}})

    def bookmark(self, revision: int) -> Iterator[bytes]:
        """How far it got: https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks."""
        if is_set(self.request.query, "allowWatchBookmarks"):
            metadata = {"resourceVersion": str(revision)}
            yield _line("BOOKMARK", {"kind": self.request.resource.kind, "apiVersion": "v1", "metadata": metadata})

    def _shows(self, item: Object) -> bool:
        return self.request.name in ("", item["metadata"]["name"]) and self.selected(item)

    def _line(self, kind: str, item: Object) -> bytes:
        return _line(kind, one(item, metadata_only=self.metadata_only))


def _revision(query: Mapping[str, str]) -> int:
    text = query.get("resourceVersion") or "0"
    if not text.isdigit():
        raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def _bookmark(request: Request, revision: int) -> Object:
    """https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks."""
    metadata = {"resourceVersion": str(revision)}
    return {"kind": request.resource.kind, "apiVersion": "v1", "metadata": metadata}


def _line(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


class Logs:
    """Finds the log of a container, or says why there is none."""

    def __init__(self, store: Store, kubelets: Kubelets) -> None:
        self._store, self._kubelets = store, kubelets

    def open(self, pod: Object, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The lines of one container of a pod.

        :raises ApiError: 400 when no container is meant or it does not run yet, 404 or 500 when the node is silent.
        """
        name = pod["metadata"]["name"]
        container = _container(pod, query.get("container", ""))
        if is_set(query, "previous"):
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        node = dig(pod, "spec", "nodeName")
        if not node:
            return _nothing()
        if self._kubelets.is_off(node):
            raise self._no_answer(node, pod, container)
        log = self._kubelets.log(pod, container)
        if log is None:
            reason = _waiting_for(pod, container)
            raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        return log.read(_log_options(query))

    def _no_answer(self, node: str, pod: Object, container: str) -> ApiError:
        if self._store.find(node_key(node)) is None:
            return not_found("nodes", node)
        path = f"/containerLogs/{pod['metadata']['namespace']}/{pod['metadata']['name']}/{container}"
        message = f'Get "https://127.0.0.1:10250{path}": dial tcp 127.0.0.1:10250: i/o timeout'
        return ApiError(500, "InternalError", message)


def _container(pod: Object, asked: str) -> str:
    main = [each["name"] for each in pod["spec"]["containers"]]
    initial = [each["name"] for each in pod["spec"].get("initContainers") or []]
    name = pod["metadata"]["name"]
    if not asked and len(main) > 1:
        choice = f"[{' '.join(main)}]" + (f" or one of the init containers: [{' '.join(initial)}]" if initial else "")
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: {choice}")
    if asked and asked not in main + initial:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    return asked or str(main[0])


def _waiting_for(pod: Object, container: str) -> str:
    status = pod["status"]
    for each in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if each["name"] == container:
            return str(dig(each, "state", "waiting", "reason") or "ContainerCreating")
    return "ContainerCreating"


def _log_options(query: Mapping[str, str]) -> LogOptions:
    since = None
    if query.get("sinceSeconds"):
        since = LogOptions.since_seconds(float(query["sinceSeconds"]))
    elif query.get("sinceTime"):
        since = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00"))
    return LogOptions(
        follow=is_set(query, "follow"),
        timestamps=is_set(query, "timestamps"),
        since=since,
        tail=int(query["tailLines"]) if query.get("tailLines") else None,
    )


async def _nothing() -> AsyncIterator[bytes]:
    """The log of a pod without a node: empty, and no error."""
    no_lines: tuple[bytes, ...] = ()
    for line in no_lines:
        yield line
