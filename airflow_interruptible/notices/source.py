# SPDX-License-Identifier: Apache-2.0
"""What every source of notices can do, and the loop that most of them are.

Decides how often a service is asked and how we yield when it fails. Must not know any vendor. The surprising fact: the
tasks of one machine share its metadata service, and start together, so the loop spreads them out (Azure rejects more
than 5 requests a second for each VM:
https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#rate-limiting).
"""

from __future__ import annotations

import logging
import random
import re
from typing import TYPE_CHECKING, Protocol

from airflow_interruptible.notices.http import NoAnswer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from airflow_interruptible.notices.notice import Notice

log = logging.getLogger(__name__)

_random = random.SystemRandom()  # the process's own generator is the author's, seeded or not

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)

JITTER = 0.1
"""Each pause varies by this share of itself."""

MAX_BACKOFF_DOUBLINGS = 2
"""A failing service is asked up to 4 times less often, no less: the notice may be as short as 30 s."""


class Source(Protocol):
    """One metadata service. Used by one thread, except for ``cancel``. Good for one watch."""

    @property
    def provider(self) -> str:
        """``ec2``, ``gce`` or ``azure``."""

    def probe(self) -> bool:
        """Whether the service is here and says that this machine can be reclaimed. May raise NoAnswer."""

    def place(self) -> dict[str, str]:
        """Return which machine this is: ``zone``, ``instance_type``, ``region``, what is said of them.

        Asked at most once, after :meth:`probe`. May raise NoAnswer.
        """

    def wait(self, stop: threading.Event) -> Notice | None:
        """Return the first notice; None once ``stop`` is set."""

    def cancel(self) -> None:
        """Cut the request in flight and begin no other. Safe from any thread; never raises."""


def names(found: Mapping[str, object]) -> dict[str, str]:
    """Return of ``found`` what looks like a name, so that nothing else gets into the ledger or a page."""
    return {key: value for key, value in found.items() if isinstance(value, str) and _NAME.fullmatch(value)}


def poll(check: Callable[[], Notice | None], stop: threading.Event, interval: float) -> Notice | None:
    """Call ``check`` about every ``interval`` seconds until it returns a notice or ``stop`` is set."""
    failures = 0
    while not stop.is_set():
        try:
            notice = check()
        except NoAnswer as error:
            failures += 1
            log.debug("No answer about notices, asking again: %s", error)
        else:
            failures = 0
            if notice is not None:
                return notice
        pause = interval * 2 ** min(failures, MAX_BACKOFF_DOUBLINGS)
        stop.wait(pause * _random.uniform(1 - JITTER, 1 + JITTER))
    return None
