# SPDX-License-Identifier: Apache-2.0
"""Links to where an attempt ran (a cloud's console, a viewer of pods), from templates that the platform team gives.

No vendor's address is built in: which account, region and portal it is, only they know.

>>> templates = read({"instance_id": "https://console.example.com/{region}/{instance_id}"})
>>> links(templates, {"instance_id": "i-0abc", "zone": "eu-west-1b"})
{'instance_id': 'https://console.example.com/eu-west-1/i-0abc'}
>>> links(templates, {"instance_id": "i-0abc"})
{}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any
from urllib.parse import quote

_SCHEMES = ("https://", "http://")
_ZONE = re.compile(r"(?P<region>[a-z0-9-]+?[0-9])-?[a-z]")
"""``eu-west-1b`` and ``europe-west4-a``: a zone is its region and a letter. Azure's zones are numbers, of no region."""


def read(document: object) -> Mapping[str, str]:
    """Read templates by the name of what they lead to, as the ledger's ``where`` has it: node, pod, job, instance_id.

    :raises ValueError: it is not a mapping of templates; the message says where.
    """
    if not isinstance(document, Mapping):
        raise ValueError("it is no object")  # noqa: TRY004 - one kind of error for all that cannot be meant
    return {str(name): _template(str(name), value) for name, value in document.items()}


def _template(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.startswith(_SCHEMES):
        raise ValueError(f"{name!r} must begin with https:// or http://")
    try:
        fields = list(Formatter().parse(value))
    except ValueError as error:
        raise ValueError(f"{name!r} is no template: {error}") from error
    for _, field, form, conversion in fields:
        if field is not None and (not field.isidentifier() or form or conversion):
            raise ValueError(f"{name!r} may only hold names in braces, not {{{field}}}")
    return value


def links(templates: Mapping[str, str], where: Mapping[str, Any]) -> dict[str, str]:
    """Return the links to what is known of where an attempt ran; none whose template wants more than that.

    :param where: what is known, text from outside: it is quoted, so it can name no other host and no other parameter.
    """
    known = {
        name: quote(str(value), safe="", errors="replace") for name, value in where.items() if value not in (None, "")
    }
    zone = _ZONE.fullmatch(str(where.get("zone", "")))
    if zone is not None:
        known.setdefault("region", zone["region"])
    found = {}
    for name, template in templates.items():
        if name in known and all(field in known for _, field, *_ in Formatter().parse(template) if field is not None):
            found[name] = template.format_map(known)
    return found
