# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in the servers, told so that a store that is down for an hour does not fill a log.

The same trouble is told in full when it first comes, and counted after that.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_IN_FULL = 50
"""So many different troubles are told in full by one process: a message may differ each time, and must not flood."""

_LENGTH = 200


class Complaints:
    """The troubles of one process."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def tell(self, what: str, error: BaseException) -> None:
        """Say what went wrong and what follows.

        :param what: a sentence. It goes into the log with the error; the values that a statement wrote do not.
        """
        for each in _causes(error):
            each.hide_parameters = True  # type: ignore[attr-defined]  # SQLAlchemy's own, and asked for by nobody else
        key = f"{type(error).__name__}: {error}"[:_LENGTH]
        with self._lock:
            if key not in self._counts and len(self._counts) >= _IN_FULL:
                key = "any other trouble"
            count = self._counts[key] = self._counts.get(key, 0) + 1
        if count == 1 and isinstance(error, SeamChangedError):  # a sentence tells all of it
            log.warning("%s %s", error, what)
        elif count == 1:
            log.warning("%s", what, exc_info=error)
        elif str(count).strip("0") == "1":  # 10, 100, 1000, ...
            log.warning("%s That has happened %d times: %s", what, count, key)
        else:
            log.debug("%s", what, exc_info=error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give SQLAlchemy's errors in the chain of an error, which print the parameters of their statements."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if hasattr(error, "hide_parameters"):
            yield error
        error = error.__cause__ or error.__context__
    return


complaints = Complaints()
