# SPDX-License-Identifier: Apache-2.0
"""Write docs/configuration.md from the one table of options: ``make docs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_interruptible.settings import OPTIONS, SECTION

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).with_name("configuration.md")

_HEAD = """\
# Configuration

<!-- Made from airflow_interruptible/settings.py by `make docs`. Change it there. -->

All options stand in section `[interruptible]` of airflow.cfg, or in the environment as
`AIRFLOW__INTERRUPTIBLE__NAME`, and have to be the same on every machine that runs a part of Airflow. Each process reads
them once. What is set, and what it means, as Airflow sees it:

    airflow config list --section interruptible --show-values --include-descriptions --include-examples

A value that cannot be meant makes an import error of every interruptible Dag, which names the option, the value and the
right form; Dags that do not use this package run on. Wrong `prices` refuse reports only.
"""


def page() -> str:
    """Return the page."""
    table = ["| option | type | default | since |", "|---|---|---|---|", *_rows()]
    return "\n".join([_HEAD, *table, *_sections()]) + "\n"


def _rows() -> Iterator[str]:
    for name, option in OPTIONS.items():
        yield f"| [`{name}`](#{name}) | {option.type} | {_spelled(option.default)} | {option.added} |"


def _sections() -> Iterator[str]:
    for name, option in OPTIONS.items():
        yield f"\n## {name}\n\n{option.doc}\n\nDefault: {_spelled(option.default)}. {option.why}"
        if option.example is not None:
            yield f"\n```ini\n[{SECTION}]\n{name} = {option.example}\n```"


def _spelled(text: str) -> str:
    return f"`{text}`" if text else "empty"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
