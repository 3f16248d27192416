# SPDX-License-Identifier: Apache-2.0
"""The error that ended an attempt, in one line, as the last line of its traceback tells it.

Whatever an author's exception says is text from outside: it is masked as Airflow masks its logs, made printable, cut,
and never looked at again. The one module that touches Airflow's masking.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

LIMIT = 240
"""So many characters are kept, as of a verdict's reason in the ledger: 200 attempts must fit into one document."""

_READ = 16_384
"""So many are looked at. Masked before it is cut to ``LIMIT``: half a secret would be known to no mask."""


def error_line(error: BaseException) -> str:
    """Return ``ValueError: what it says``, on one line of at most :data:`LIMIT` characters; never raises.

    Where the words cannot be had or cannot be masked, it is the name of the class alone.
    """
    name = type(error).__name__
    try:
        said = _printable(_masked(str(error)[:_READ]))
    except Exception:
        log.warning("What this %s says cannot be written into the history.", name, exc_info=True)
        said = ""
    line = f"{name}: {said}" if said else _printable(name)
    return line if len(line) <= LIMIT else f"{line[: LIMIT - 1]}…"


def _masked(text: str) -> str:
    """Return ``text`` with stars for every secret that this process has been told of, as in the task's log."""
    from airflow.sdk._shared.secrets_masker import redact

    return str(redact(text))


def _printable(text: str) -> str:
    """Return ``text`` on one line, without what a terminal would obey or JSON could not carry."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
