# SPDX-License-Identifier: Apache-2.0
"""Asking a service whether it would answer: by the calls themselves, for who may not ask cannot be told otherwise.

What is refused is one finding; anything else that goes wrong is for :mod:`.examination`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.launched.aws import error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LINK = "docs/evidence.md#ready-to-paste"

_REFUSALS = frozenset(("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"))
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html , and common errors."""


def asked(call: Callable[..., Any], **arguments: Any) -> Mapping[str, Any] | None:
    """Return what AWS answers, None if it refuses to.

    :raises Exception: whatever else boto3 raises.
    """
    try:
        return call(**arguments)  # type: ignore[no-any-return]
    except Exception as error:
        if error_of(error)[0] in _REFUSALS:
            return None
        raise


def not_permitted(permission: str, then: str) -> Finding:
    """Return the finding that a permission is missing here.

    :param permission: as the cloud calls it.
    :param then: what follows, a sentence.
    """
    return Finding(
        id="permissions/missing",
        severity=Severity.WARNING,
        setting=f"permission {permission}",
        value="refused",
        better="granted to the processes of Airflow's servers",
        why=f"{then} It was asked for with the credentials of this process; those of others may differ.",
        link=_LINK,
    )
