# SPDX-License-Identifier: Apache-2.0
"""Reading what others wrote: values of a document that somebody else may have forged, each taken as far as it can be.

Two answers are possible. What only has a wrong size is cut: a long name is a name. What cannot be (a time that is none,
a number that no attempt has) is refused, and with it the document. Nothing here walks deeper than it is asked to, so
nesting costs nothing, and nothing loops over a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache

NAME = 250
"""Characters of a name that are kept: Airflow's own ids have no more."""

SENTENCE = 300
"""Characters of a sentence that are kept: a reason, an error."""

TIME = 40
"""Characters of a time that is only shown."""

LAST_ATTEMPT = 999_999
"""The highest number of an attempt that is believed, as of a setting that counts attempts."""

_ENTRIES = 50
_INTEGER = 2**63
_FIRST, _LAST = (datetime(*day, tzinfo=timezone.utc).timestamp() for day in ((1970, 1, 1), (9999, 12, 31)))


def text(value: object, most: int = SENTENCE) -> str | None:
    """Return a text, cut to ``most`` characters; None is none.

    :raises TypeError: it is something else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value[:most]
    raise TypeError(f"{type(value).__name__} where a text belongs")


def name(value: object) -> str | None:
    """Return a name, cut to :data:`NAME` characters; None is none.

    :raises TypeError: it is something else.
    """
    return text(value, NAME)


def time(value: object) -> str | None:
    """Return a time as it was written; None is none.

    :raises TypeError: it is no text.
    :raises ValueError: it is no time; see :func:`since_1970`.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a time belongs")
    since_1970(value)
    return value


@lru_cache(maxsize=1024)  # who checks a time often needs it next
def since_1970(written: str) -> float:
    """Return a time as seconds since 1970; one without an offset is in UTC.

    :raises ValueError: it is not ISO 8601, or not in the years 1970 to 9999.
    """
    if len(written) > TIME:
        raise ValueError(f"{written[:TIME]!r} is no time")
    moment = datetime.fromisoformat(f"{written[:-1]}+00:00" if written[-1:] == "Z" else written)
    seconds = (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)).timestamp()
    if not _FIRST <= seconds <= _LAST:
        raise ValueError(f"{written} is not in the years 1970 to 9999")
    return seconds


def whole(value: object, least: int, most: int) -> int:
    """Return a whole number.

    :raises TypeError: it is none.
    :raises ValueError: it is below ``least`` or above ``most``.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} where a whole number belongs")
    if not least <= value <= most:
        raise ValueError(f"a number that is not from {least} to {most}")
    return value


def attempt_number(written: object) -> int:
    """Return the number of an attempt that is written as the key of an object.

    :raises TypeError: it is no text.
    :raises ValueError: no attempt has that number.
    """
    if not isinstance(written, str):
        raise TypeError(f"{type(written).__name__} where the number of an attempt belongs")
    if not (written.isascii() and written.isdigit()) or len(written) > len(str(LAST_ATTEMPT)):
        raise ValueError(f"{written[:TIME]!r} is no number of an attempt")
    return whole(int(written), 1, LAST_ATTEMPT)


def scalars(value: object) -> dict[str, str | int | None]:
    """Return the names of an object that stand for a text, a whole number or nothing; whatever else it holds is left.

    :raises TypeError: it is no object.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} where an object belongs")
    found: dict[str, str | int | None] = {}
    for key, one in value.items():  # of a document that Airflow's store has bounded
        if len(found) == _ENTRIES:
            break
        if isinstance(one, str):
            found[key[:NAME]] = one[:NAME]
        elif one is None or (isinstance(one, int) and abs(one) < _INTEGER):
            found[key[:NAME]] = one
    return found
