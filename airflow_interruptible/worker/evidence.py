# SPDX-License-Identifier: Apache-2.0
"""What an exception, and the remote job it may be about, tell of the end of an attempt.

Looked for only after a failure, and with the clients of the providers, which are loaded only then.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_interruptible.exceptions import Interrupted

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_interruptible.core.evidence import Evidence

log = logging.getLogger(__name__)


def evidence_of(exception: BaseException, context: Context) -> Evidence | None:
    """Return what is known of the failure besides its type; None if nothing is, or if we interrupted it ourselves.

    An operator that is interrupted stops its own remote job, which then looks as if a person had stopped it.
    """
    if isinstance(exception, Interrupted):
        return None
    try:
        from airflow_interruptible import remote

        return remote.evidence_of(context["ti"].task, exception, context)
    except Exception:
        log.warning("Evidence on this failure could not be gathered; it is judged by its type alone.", exc_info=True)
        return None
