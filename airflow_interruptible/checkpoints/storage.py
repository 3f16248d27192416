# SPDX-License-Identifier: Apache-2.0
"""Where the files of one task instance's checkpoints are: a prefix below ``[interruptible] checkpoint_path``.

Every checkpoint gets a folder of its own, ``<attempt>-<random>``, which is written once: half a folder is one that
nobody points to. Which folder counts is not known here. All paths go to the file system itself (fsspec) as lists, which
mean the same on a disk and in a bucket; "copy this tree to there" does not.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_interruptible.checkpoints.document import CheckpointError, Folder
from airflow_interruptible.settings import SECTION, get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import ObjectStoragePath

DEFAULT_FOLDER = "interruptible-checkpoints"
"""Below ``AIRFLOW_HOME``, where nobody said otherwise."""

_LONGEST = 255
"""How long a name may be on the usual disks. Airflow's may have 250 characters, and take nine each once quoted."""

_READABLE = 150

_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Storage:
    """The checkpoint files of one task instance.

    :raises CheckpointError: on first use, if the setting names a place that cannot be used.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    def upload(self, source: Path, attempt: int) -> Folder:
        """Copy the files below ``source`` into a new folder. If that fails, nothing of it is left.

        What is stored is looked at before anybody points to it: files may have been written to while they were copied.

        :raises CheckpointError: there are none, or not all of them have arrived.
        """
        files = sorted(path for path in source.rglob("*") if path.is_file())
        if not files:
            raise CheckpointError(
                "Nothing was written into the folder of save_files(). Write files below the folder that it gives; for "
                "a value alone there is save()."
            )
        name = f"{attempt}-{secrets.token_hex(6)}"
        names = [path.relative_to(source).as_posix() for path in files]
        targets = [f"{self._at(name)}/{below}" for below in names]
        try:
            self._make_private()
            for parent in sorted({target.rpartition("/")[0] for target in targets}):
                self._fs.makedirs(parent, exist_ok=True)
            before = [path.stat().st_size for path in files]
            self._fs.put([str(path) for path in files], targets)
            stored = self._list(name)
            _check_arrived(stored, dict(zip(names, zip(before, map(_size, files), strict=True), strict=True)))
        except Exception:
            with suppress(Exception):
                self.remove(name)
            raise
        return Folder(name, len(stored), sum(stored.values()))

    def holds(self, folder: Folder) -> bool:
        """Return whether ``folder`` is there, as whole as it was written."""
        found = self._list(folder.name)
        return (len(found), sum(found.values())) == (folder.files, folder.size)

    def download(self, folder: Folder, target: Path) -> None:
        """Copy the files of ``folder`` into ``target``.

        :raises CheckpointError: one of them would be written somewhere else.
        """
        prefix, names = self._at(folder.name), list(self._list(folder.name))
        for name in names:
            if name.startswith("/") or ".." in name.split("/"):
                raise CheckpointError(
                    f"{self} holds a file named {name[:_READABLE]!r}, which leads out of the checkpoint's folder. "
                    "Somebody else wrote it, so nothing is resumed from there."
                )
        paths = [target / name for name in names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._fs.get([f"{prefix}/{name}" for name in names], [str(path) for path in paths])

    def folders_before(self, attempt: int) -> list[str]:
        """Return the names of the folders that earlier attempts left."""
        try:
            names = [path.rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._root.path, detail=False)]
        except FileNotFoundError:
            return []
        numbers = {name: name.partition("-")[0] for name in names}
        return [name for name, number in numbers.items() if _NUMBER.fullmatch(number) and int(number) < attempt]

    def remove(self, name: str | None = None) -> None:
        """Delete a folder, by default all that this task instance has."""
        try:
            self._fs.rm(self._root.path if name is None else self._at(name), recursive=True)
        except FileNotFoundError:
            return

    def __str__(self) -> str:
        """Return where it is, as people write it."""
        return str(self._root)

    @cached_property
    def _root(self) -> ObjectStoragePath:
        parts = {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": str(self.map_index),
        }
        root = _base()
        for key, value in parts.items():
            root /= _name(f"{key}={quote(value, safe=':+')}")
        return root

    @cached_property
    def _fs(self) -> Any:
        return self._root.fs

    def _make_private(self) -> None:
        """On a disk, let nobody but this user into the task instance's folder. Buckets have rights of their own."""
        if getattr(self._fs, "local_file", False):
            place = Path(self._root.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.mkdir(mode=0o700, exist_ok=True)

    def _at(self, name: str) -> str:
        return f"{self._root.path}/{name}"

    def _list(self, name: str) -> dict[str, int]:
        """Return the sizes of the files in a folder, by their name below it."""
        prefix = self._at(name)
        self._fs.invalidate_cache(prefix)
        found = self._fs.find(prefix, detail=True)
        return {path.partition(f"/{name}/")[2]: int(about["size"]) for path, about in found.items()}


def _size(path: Path) -> int:
    """Return the size of a file that may be gone by now."""
    return path.stat().st_size if path.exists() else 0


def _check_arrived(stored: Mapping[str, int], local: Mapping[str, tuple[int, int]]) -> None:
    """Refuse what has not arrived whole.

    :param local: the size of each file before and after it was copied. In between, it may have grown.
    """
    missing = local.keys() - stored.keys()
    torn = {name for name, sizes in local.items() if not min(sizes) <= stored.get(name, 0) <= max(sizes)}
    if missing or torn:
        raise CheckpointError(
            f"Of the files of save_files(), {min(missing | torn)!r} has not been stored as it was written. The "
            "previous checkpoint stays. Close every file before the `with` block ends, and see that there is room."
        )


def _name(part: str) -> str:
    """Return a part of the path as a disk takes it: of a long one the beginning, and what tells it from all others."""
    if len(part) <= _LONGEST:
        return part
    return f"{part[:_READABLE]}={sha256(part.encode()).hexdigest()}"  # no value holds a "=" once it is quoted


def _base() -> ObjectStoragePath:
    from airflow.configuration import get_airflow_home
    from airflow.sdk import ObjectStoragePath

    place = get_settings().checkpoint_path or f"{get_airflow_home()}/{DEFAULT_FOLDER}"
    try:
        base = ObjectStoragePath(place)
        _ = base.fs  # made on first use, and what is missing for it is found out then
    except (ImportError, ValueError) as error:
        raise CheckpointError(
            f"[{SECTION}] checkpoint_path {place!r} cannot be used: {error}. Install the provider that knows its "
            "scheme (for s3, apache-airflow-providers-amazon[s3fs]), or name a directory that all workers share."
        ) from error
    return base
