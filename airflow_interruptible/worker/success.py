# SPDX-License-Identifier: Apache-2.0
"""Something to do once the server knows that a task of this process has succeeded.

The end of ``execute`` is too early to throw away what must outlive a failure: the result is still to be pushed and
reported, and a machine can vanish in between. Airflow calls its listeners after the report. This one is registered when
there is something to call, so that other tasks never load it.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_waiting: dict[object, dict[str, Callable[[], None]]] = {}


def after_success(ti_id: object, what: str, call: Callable[[], None]) -> None:
    """Call ``call``, once, when an attempt has succeeded.

    :param ti_id: Airflow's id of the task instance, a new one for each try.
    :param what: what it is for; a later call for the same takes the place of an earlier one.
    """
    try:
        from airflow.sdk.listener import get_listener_manager

        get_listener_manager().add_listener(sys.modules[__name__])  # type: ignore[no-untyped-call]
    except Exception:
        log.warning("Airflow's listeners are not where they were, so nobody cleans up after a success.", exc_info=True)
    _waiting.setdefault(ti_id, {})[what] = call


@hookimpl
def on_task_instance_success(task_instance: Any) -> None:
    """Called by Airflow, in the task's own process."""
    for call in _waiting.pop(task_instance.id, {}).values():
        call()
