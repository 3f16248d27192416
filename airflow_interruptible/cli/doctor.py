# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible doctor``: what breaks a promise in this deployment, and what to set instead."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from airflow_interruptible.cli.output import add_output, document, one_line
from airflow_interruptible.doctor import CHECKS
from airflow_interruptible.doctor.deployment import here
from airflow_interruptible.doctor.examination import examine
from airflow_interruptible.doctor.finding import Severity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from airflow_interruptible.doctor.finding import Finding

_COLUMNS = ("severity", "setting", "value", "better")
_WIDTH = 100
_CELL = 60
"""Characters of a value in a table; the other forms hold all of it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Look at the settings, the database, the executors and, where it may, the cluster and the cloud. Changes "
        "nothing. Ends with status 1 if there is an error."
    )
    add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Print the findings, worst first.

    :raises SystemExit: with status 1 if one of them breaks a promise.
    """
    findings = examine(here())
    if args.output in ("json", "yaml"):
        print(document([finding.to_json() for finding in findings], args.output))
    elif args.output == "plain":
        print(rows(findings, "plain"))
    else:
        print(as_text(findings))
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise SystemExit(1)


def as_text(findings: Sequence[Finding]) -> str:
    """Return the findings as a table, and below it why each of them matters."""
    wrong = [finding for finding in findings if finding.severity is not Severity.INFO]
    parts = [] if wrong else [f"In order: {len(CHECKS)} subjects looked at, nothing to be mended."]
    if findings:
        parts += [rows(findings, "simple"), "\n\n".join(_reason(finding) for finding in findings)]
    return "\n\n".join(parts)


def rows(findings: Sequence[Finding], form: str) -> str:
    """Return a line for each finding below the names of the columns, in one of tabulate's forms."""
    from tabulate import tabulate

    told = [[_short(finding.to_json()[name]) for name in _COLUMNS] for finding in findings]
    return tabulate(told, headers=_COLUMNS, tablefmt=form, disable_numparse=True)


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _CELL else f"{text[: _CELL - 3]}..."


def _reason(finding: Finding) -> str:
    told = f"{finding.setting}: {finding.why} Better: {finding.better.rstrip('.')}."
    lines = textwrap.wrap(one_line(told), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, f"  see {finding.link}"])
