# SPDX-License-Identifier: Apache-2.0
"""The two shapes an answer can have: whole objects, or only their metadata.

https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches (``as=PartialObjectMetadataList``).
A client that asks for something else we do not have, such as a table, gets whole objects, which it has to accept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubernetes_api.objects import Object
    from kubernetes_api.resources import Resource

_META = "meta.k8s.io/v1"


def wants_metadata_only(accept: str) -> bool:
    """Whether the first acceptable shape of an Accept header is metadata only."""
    first = accept.split(",", maxsplit=1)[0].replace(" ", "")
    return "as=PartialObjectMetadata" in first


def one(item: Object, *, metadata_only: bool) -> Object:
    """Shape one object."""
    if not metadata_only:
        return item
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": item["metadata"]}


def many(resource: Resource, items: Sequence[Object], revision: int, *, metadata_only: bool) -> Object:
    """Shape a list."""
    kind, version = ("PartialObjectMetadataList", _META) if metadata_only else (f"{resource.kind}List", "v1")
    return {
        "kind": kind,
        "apiVersion": version,
        "metadata": {"resourceVersion": str(revision)},
        "items": [one(item, metadata_only=metadata_only) for item in items],
    }
