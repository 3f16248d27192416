# SPDX-License-Identifier: Apache-2.0
"""Being told ahead that this machine goes: what the clouds' metadata services say, as one :class:`Notice`.

Knows the three metadata services and nothing of Airflow, of budgets or of causes: what a notice means for the
attempt is decided elsewhere. The surprising fact: all three clouds answer at the same address, 169.254.169.254, so a
service is recognised by what it says and never by where it is.
"""

from __future__ import annotations

from airflow_interruptible.notices.notice import Notice, NoticeKind
from airflow_interruptible.notices.source import Source
from airflow_interruptible.notices.watcher import Watcher, default_sources

__all__ = ["Notice", "NoticeKind", "Source", "Watcher", "default_sources"]
