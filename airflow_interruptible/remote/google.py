# SPDX-License-Identifier: Apache-2.0
"""What the services of Google Cloud have in common: their answers are protocol buffers.

It must not know any service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SECONDS = 3.0
"""How long one request may take."""


def as_fields(message: Any) -> Mapping[str, Any]:
    """Return a message as fields, enumerations by their names; ``{}`` if it is none.

    https://proto-plus-python.readthedocs.io/en/stable/reference/message.html
    """
    if isinstance(message, Mapping):
        return message
    to_dict = getattr(type(message), "to_dict", None)
    fields = to_dict(message, use_integers_for_enums=False) if to_dict is not None else None
    return fields if isinstance(fields, Mapping) else {}
