# SPDX-License-Identifier: Apache-2.0
"""Which exceptions may speak for the platform: those that Airflow or a provider raised, never the author's own.

User code can raise any text it likes, "Host EC2 terminated" included. So the text of an exception counts only where
the innermost frame that raised it belongs to Airflow or a vendor's client; of any other, only the type is a fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.core.payload import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_interruptible.core.evidence import Evidence
    from airflow_interruptible.core.surface import Surface

SPEAKING = ("airflow",)
"""Packages whose messages Airflow's rules know. A vendor's client is called by a provider, which words its failures."""


def read_exception(
    kind: str, message: str, raised_in: str, context: object = None, *, surfaces: Sequence[Surface]
) -> Evidence:
    """Read an exception that reached the worker.

    :param kind: the qualified name of its type.
    :param message: its text.
    :param raised_in: the module of the innermost frame of its traceback; an unknown one, empty, is the author's.
    :param context: what is known of the attempt besides, see :mod:`airflow_interruptible.core.context`.
    :param surfaces: how the vendors' payloads are spelled.
    """
    if raised_in.partition(".")[0] in SPEAKING:
        return read("airflow", "exception message", message, context, surfaces=surfaces)
    return read("airflow", "exception type", {"exception": kind}, context, surfaces=surfaces)
