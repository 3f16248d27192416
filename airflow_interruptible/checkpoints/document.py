# SPDX-License-Identifier: Apache-2.0
"""The checkpoint's document in the task state store: the value, and the pointer to the files that belong to it.

One key holds both, so one write switches both at once: whoever reads it finds the value and the files of the same
moment. Pure: who stores the document is :mod:`.progress`'s affair, where the files are
:mod:`.storage`'s.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core import bounded
from airflow_interruptible.exceptions import InterruptibleError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "interruptible-checkpoint"
"""The document's key in the task state store."""

_VERSION = 1
_FOLDER = re.compile(r"[0-9]{1,9}-[0-9a-f]{1,64}")
_WHOLE = 2**63 - 1
_INTEGERS = range(-(2**63), 2**64)  # what msgpack holds, which the task and its supervisor talk
_DEEPEST = 100  # Airflow's client writes more levels than the 200 that it can read back


class CheckpointError(InterruptibleError):
    """A checkpoint cannot be used as it was meant. The message says why, and what to do instead."""


@dataclass(frozen=True)
class Folder:
    """The files of a checkpoint. How many there are and how big tells later whether they are still all there.

    :param name: below the task instance's place in the storage.
    :param size: of all files together, in bytes.
    """

    name: str
    files: int
    size: int


@dataclass(frozen=True)
class Saved:
    """A checkpoint.

    :param generation: Airflow's ``max_tries`` when it was written. A clear raises it, so the checkpoint counts no more.
    :param attempt: which attempt wrote it, ``host`` where, ``time`` when (ISO 8601); for people.
    :param folder: None if it is a value alone.
    """

    value: Any
    generation: int
    attempt: int
    host: str
    time: str
    folder: Folder | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        return {"version": _VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, document: object) -> Saved | None:
        """Read the document; None is none.

        :raises CheckpointError: it is not what :meth:`to_json` wrote.
        """
        if document is None:
            return None
        try:
            return cls._read(document)
        except (KeyError, TypeError, ValueError) as error:
            why = repr(error)[: bounded.SENTENCE]
            raise CheckpointError(
                f"What is under {KEY!r} in the task state store is not a checkpoint ({why}). Somebody else wrote "
                "to it, or a newer airflow-interruptible did. It is ignored, and the next save replaces it."
            ) from error

    @classmethod
    def _read(cls, document: Any) -> Saved:
        if document["version"] != _VERSION:
            raise ValueError("another version")
        host, time = bounded.name(document["host"]), bounded.text(document["time"], bounded.TIME)
        return cls(
            value=document["value"],
            generation=bounded.whole(document["generation"], -1, _WHOLE),
            attempt=bounded.whole(document["attempt"], 0, bounded.LAST_ATTEMPT),
            host=host or "an unknown host",
            time=time or "",
            folder=None if document["folder"] is None else _folder(document["folder"]),
        )


def _folder(fields: Mapping[str, Any]) -> Folder:
    """Read the pointer. Its name is checked, since what it points to will be deleted one day."""
    name, files, size = fields["name"], fields["files"], fields["size"]
    if not _FOLDER.fullmatch(name):
        raise ValueError(f"folder {name[: bounded.TIME]!r}")
    return Folder(name, bounded.whole(files, 0, _WHOLE), bounded.whole(size, 0, _WHOLE))


def as_json(value: Any) -> Any:
    """Return ``value`` as it will be read back.

    :raises CheckpointError: JSON cannot hold it, or would give back something else.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()  # json lets half a character pass, which no message can carry
        copy = json.loads(text, parse_int=_integer)
        _check_depth(copy, _DEEPEST)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"A {type(value).__name__} cannot be saved as a checkpoint's value: {error}. The value is JSON: None, "
            "bools, 64-bit integers, finite floats, text, lists, and dicts with text as keys. Write anything else into "
            "a file: `with checkpoint().save_files(value) as folder`."
        ) from error
    if copy != value:
        raise CheckpointError(
            f"A {type(value).__name__} cannot be saved as a checkpoint's value: it would be read back as something "
            "else, since JSON turns tuples into lists and the keys of dicts into text. Convert it first."
        )
    return copy


def _check_depth(value: Any, levels: int) -> None:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        if not levels:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        _check_depth(each, levels - 1)


def _integer(digits: str) -> int:
    number = int(digits)
    if number not in _INTEGERS:
        raise ValueError(f"the integer {digits[:30]} needs more than 64 bits")
    return number
