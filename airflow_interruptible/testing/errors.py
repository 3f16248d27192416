# SPDX-License-Identifier: Apache-2.0
"""What the spot lab raises.

::

    InterruptibleError
    `-- LabError             the lab cannot do what was asked, or a part of it died
        `-- LabTimeoutError  what was waited for did not come in time
"""

from __future__ import annotations

from airflow_interruptible.exceptions import InterruptibleError


class LabError(InterruptibleError):
    """The lab cannot do what was asked, or a part of it died. The message holds what its log last said."""


class LabTimeoutError(LabError):
    """What was waited for did not come in time. The message holds what was seen instead."""
