# SPDX-License-Identifier: Apache-2.0
"""The section ``[interruptible]``: values that cannot be meant, and slips of the pen in the names of options."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.options import UnmeantError
from airflow_interruptible.settings import OPTIONS, SECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_interruptible.doctor.deployment import Deployment

_LINK = "docs/configuration.md"
_ALIKE = 0.75


def check(deployment: Deployment) -> Iterator[Finding]:
    """Read every option as the package does, and look at the names of what is written."""
    yield from _misspelt(deployment)
    yield from _unmeant(deployment)
    settings = deployment.settings
    if settings is not None:
        yield from _refused("prices", settings.prices, settings.price_list, "Reports are refused until it is right.")
        yield from _refused("links", settings.links, settings.link_templates, "Pages show no links until it is right.")


def _misspelt(deployment: Deployment) -> Iterator[Finding]:
    for name in sorted(deployment.written.get(SECTION, frozenset()) - set(OPTIONS)):
        yield _unread(f"[{SECTION}] {name}", next(iter(get_close_matches(name, OPTIONS, 1)), None))
    sections = [name for name in deployment.written if name != SECTION]
    for section in get_close_matches(SECTION, sections, 3, _ALIKE):
        names = sorted(deployment.written[section] & set(OPTIONS)) or sorted(deployment.written[section])
        yield _unread(f"[{section}] {', '.join(names)}", f"[{SECTION}] {', '.join(names)}")


def _unread(setting: str, meant: str | None) -> Finding:
    known = ", ".join(sorted(OPTIONS))
    return Finding(
        id="options/unknown",
        severity=Severity.ERROR,
        setting=setting,
        value="set, and read by nobody",
        better=meant or f"one of {known}",
        why="There is no such option, so what it says has no effect, and the default holds.",
        link=_LINK,
    )


def _unmeant(deployment: Deployment) -> Iterator[Finding]:
    for name, declared in OPTIONS.items():
        text = deployment.option(SECTION, name, declared.default)
        try:
            declared.read(text)
        except UnmeantError as error:
            yield Finding(
                id="options/value",
                severity=Severity.ERROR,
                setting=f"[{SECTION}] {name}",
                value=text,
                better=error.instead,
                why=f"It must be {error.wanted}. Until it is, every interruptible Dag has an import error.",
                link=f"{_LINK}#{name}",
            )


def _refused(name: str, text: str, read: Callable[[], object], then: str) -> Iterator[Finding]:
    try:
        read()
    except ConfigurationError as error:
        why = f"{error} {then}"
        better = OPTIONS[name].example or OPTIONS[name].default
        yield Finding("options/value", Severity.WARNING, f"[{SECTION}] {name}", text, better, why, f"{_LINK}#{name}")
