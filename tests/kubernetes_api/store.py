# SPDX-License-Identifier: Apache-2.0
"""All objects of the cluster, one revision counter for all of them, and the changes that watches replay.

It decides resource versions and when a watch is too late (410). It must not know what any kind means, nor HTTP.
Everything happens in one event loop, so a method without ``await`` is atomic.

Surprising: a write that changes nothing makes no new version and no event, as in a real cluster.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import copy
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from kubernetes_api.errors import already_exists, conflict, expired, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_api.objects import Key, Object

ChangeType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Change:
    """One write.

    :param object: as it is after the write; of a deletion, as it was last, with the revision of the deletion.
    :param previous: as it was before; None for a creation.
    """

    revision: int
    type: ChangeType
    key: Key
    object: Object
    previous: Object | None


class Store:
    """The objects and their recent history.

    :param keep: how many changes can be replayed; older ones answer 410 Gone.
    """

    def __init__(self, keep: int = 5000) -> None:
        self.revision = 1
        self._keep = keep
        self._objects: dict[str, dict[Key, Object]] = defaultdict(dict)
        self._history: list[Change] = []
        self._oldest = self.revision
        self._news = asyncio.Event()
        self._subscribers: list[asyncio.Queue[Change]] = []

    def find(self, key: Key) -> Object | None:
        """The object, not to be changed, or None."""
        return self._objects[key.resource].get(key)

    def get(self, key: Key) -> Object:
        """The object, not to be changed.

        :raises ApiError: 404.
        """
        found = self.find(key)
        if found is None:
            raise not_found(key.resource, key.name)
        return found

    def all(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of a resource, of one namespace or (None) of all, in the order of their keys."""
        objects = self._objects[resource]
        return [objects[key] for key in sorted(objects) if namespace in (None, key.namespace)]

    def create(self, key: Key, new: Object) -> Object:
        """Store a new object.

        :raises ApiError: 409 when the name is taken.
        """
        if self.find(key) is not None:
            raise already_exists(key.resource, key.name)
        return self._commit("ADDED", key, copy.deepcopy(new), None)

    def modify(self, key: Key, change: Callable[[Object], None], *, uid: str | None = None) -> Object:
        """Change a copy of an object and store it.

        :param uid: refuse (409) when the name belongs to another object by now.
        :raises ApiError: 404.
        """
        before = self.get(key)
        if uid is not None and before["metadata"]["uid"] != uid:
            raise conflict(key.resource, key.name, f"Precondition failed: UID in precondition: {uid}")
        after = copy.deepcopy(before)
        change(after)
        return before if after == before else self._commit("MODIFIED", key, after, before)

    def delete(self, key: Key) -> Object:
        """Remove an object and return it as it was last.

        :raises ApiError: 404.
        """
        before = self.get(key)
        return self._commit("DELETED", key, copy.deepcopy(before), before)

    def changes_after(self, revision: int) -> list[Change]:
        """Every change after a revision, oldest first.

        :raises ApiError: 410 when that is longer ago than the history reaches.
        """
        if revision < self._oldest:
            raise expired(revision, self._oldest)
        return self._history[revision - self._oldest :]

    async def beyond(self, revision: int) -> None:
        """Wait until there is a change after a revision."""
        while self.revision <= revision:
            await self._news.wait()

    def compact(self) -> None:
        """Forget the history, as etcd does every five minutes: older resource versions are now 410 Gone."""
        self._history.clear()
        self._oldest = self.revision

    def subscribe(self) -> asyncio.Queue[Change]:
        """A queue of every change from now on, for a controller of the cluster's own."""
        queue: asyncio.Queue[Change] = asyncio.Queue()
        self._subscribers.append(queue)
        return queue

    def _commit(self, kind: ChangeType, key: Key, after: Object, before: Object | None) -> Object:
        self.revision += 1
        after["metadata"]["resourceVersion"] = str(self.revision)
        if kind == "DELETED":
            del self._objects[key.resource][key]
        else:
            self._objects[key.resource][key] = after
        change = Change(self.revision, kind, key, after, before)
        self._history.append(change)
        if len(self._history) > self._keep:
            dropped = len(self._history) - self._keep // 2
            del self._history[:dropped]
            self._oldest += dropped
        for queue in self._subscribers:
            queue.put_nowait(change)
        self._news.set()
        self._news = asyncio.Event()
        return after
