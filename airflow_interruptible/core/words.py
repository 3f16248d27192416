# SPDX-License-Identifier: Apache-2.0
"""The words that authors write on a task, and what somebody may have meant by a word that is nearly one of them.

>>> meant("interruptable")
'interruptible'
>>> meant("system_retrys")
'system_retries'
>>> meant("retries"), meant("interruptible"), meant("on_retry_callback")
(None, None, None)
"""

from __future__ import annotations

from functools import cache

OWN_RETRIES = "interruptible_user_retries"
"""Where a mapped task keeps the author's ``retries``. An operator may have a ``user_retries`` of its own."""

ARGUMENTS = ("interruptible", "system_retries", "system_retry_delay", "compute", "on_interruption_callback")
"""What a task accepts beyond its operator's own arguments."""

_BEGINNINGS = tuple({word[:3] for word in ARGUMENTS})
_ALIKE = 0.86


@cache
def meant(name: str) -> str | None:
    """Return which of our words ``name`` looks like, None if it is one of them, or like none."""
    if name in ARGUMENTS or not name.startswith(_BEGINNINGS):
        return None
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, ARGUMENTS, n=1, cutoff=_ALIKE)), None)
