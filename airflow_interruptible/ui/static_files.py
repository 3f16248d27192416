# SPDX-License-Identifier: Apache-2.0
"""The style sheets and scripts of the pages, out of the package, in memory.

Their address holds a digest of them all, so a browser may keep them for ever and never mixes two releases. They are
public: the package is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class StaticFile:
    """One file, as it is sent."""

    body: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """What tells this content from another."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return every file by its name."""
    found = {}
    for file in (files(__package__) / "static").iterdir():
        suffix = file.name.rpartition(".")[2]
        if suffix in _TYPES:
            found[file.name] = StaticFile(file.read_bytes(), _TYPES[suffix])
    return MappingProxyType(found)


@cache
def version() -> str:
    """Return the digest that stands in the addresses of the files."""
    digest = hashlib.sha256()
    for name, file in sorted(static_files().items()):
        digest.update(name.encode() + b"\0" + file.body + b"\0")
    return digest.hexdigest()[:12]


@cache
def template(name: str) -> str:
    """Return a page, with the addresses of its files filled in."""
    text = (files(__package__) / "templates" / f"{name}.html").read_text(encoding="utf-8")
    return text.replace("${static}", f"static/{version()}")
