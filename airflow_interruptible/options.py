# SPDX-License-Identifier: Apache-2.0
"""What an option of airflow.cfg is, and how each kind of value is read.

The options themselves are the fields of :class:`airflow_interruptible.settings.Settings`, each declared once: its name,
type, default, description, example and check. The provider's metadata, ``airflow config list`` and
``docs/configuration.md`` are made from them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DIGITS = 6
"""Of a number of retries: the sum of both budgets goes into a column of 32 bits."""


@dataclass(frozen=True)
class Option:
    """One option.

    :param default: what it is when nobody sets it, as airflow.cfg would spell it.
    :param read: turns the text of airflow.cfg into the value, or raises :class:`UnmeantError`.
    :param type: Airflow's name of the type: string, boolean, integer or float.
    :param doc: what it says; Airflow shows it.
    :param why: why the default is what it is.
    :param example: another value than the default, as airflow.cfg would spell it.
    :param added: the version of this package that has it first.
    """

    default: str
    read: Callable[[str], Any]
    type: str
    doc: str
    why: str
    example: str | None = None
    added: str = "0.1.0"


class UnmeantError(ValueError):
    """A text that cannot be meant.

    :param wanted: what could, as in "must be ...".
    :param instead: what to do, a sentence.
    """

    def __init__(self, wanted: str, instead: str) -> None:
        super().__init__(wanted, instead)
        self.wanted = wanted
        self.instead = instead


def option(default: str, read: Callable[[str], Any], **described: Any) -> Any:
    """Declare a field that is an option; the other arguments are those of :class:`Option`."""
    return field(default_factory=lambda: read(default), metadata={"option": Option(default, read, **described)})


def boolean(text: str) -> bool:
    """Read what Airflow reads as True or False."""
    match text.lower():
        case "true" | "t" | "1":
            return True
        case "false" | "f" | "0":
            return False
    raise UnmeantError("True or False", "Write one of them, or remove the line for the default.")


def boolean_or_unset(text: str) -> bool | None:
    """Read True or False; nothing is None."""
    return boolean(text) if text else None


def natural(text: str) -> int:
    """Read a number of retries."""
    if text.isdecimal() and len(text) <= _DIGITS:
        return int(text)
    raise UnmeantError(f"a whole number >= 0 of at most {_DIGITS} digits", "Use 0 to forgive no system failure.")


def seconds(text: str) -> timedelta:
    """Read a number of seconds, a day at most."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 <= number <= timedelta(days=1).total_seconds():
        return timedelta(seconds=number)
    raise UnmeantError("a number of seconds from 0 to 86400", "Use 0 not to wait at all, and write 300 for 5 minutes.")


def json_object(text: str) -> Mapping[str, Any]:
    """Read a JSON object."""
    parsed = parsed_json(text)
    if isinstance(parsed, dict):
        return parsed
    raise UnmeantError("a JSON object", 'Write {"spot": "spot-workers", "on_demand": "default"} for compute = queue.')


def parsed_json(text: str) -> Any:
    """Return what JSON says, None if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def place(text: str) -> str:
    """Read a URL or an absolute path; nothing stays nothing."""
    if not text or text.startswith("/") or "://" in text:
        return text
    raise UnmeantError(
        "a URL or an absolute path", "Use s3://connection@bucket/checkpoints, or a directory that all workers share."
    )
