# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible report``: interruptions, hours and savings over a range of time, as the pages show them."""

from __future__ import annotations

import csv
import io
import json
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.cli.arguments import moment
from airflow_interruptible.cli.output import one_line
from airflow_interruptible.exceptions import InterruptibleError
from airflow_interruptible.report.answer import full_report
from airflow_interruptible.report.filters import Filters, time_range
from airflow_interruptible.report.memory import Memory

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_interruptible.report.memory import Progress
    from airflow_interruptible.report.totals import Report

_DIMENSIONS = ("cause", "zone", "instance_type", "dag", "task")
_SHOWN = 10
"""So many values of a dimension in the table; the other forms hold more."""

_FEW = 10
"""From so many hours on, a hundredth tells nothing."""

_EVERYTHING = 2**31 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--start", type=moment, metavar="TIME", help="ISO 8601, UTC (default: a week before the end)")
    parser.add_argument("--end", type=moment, metavar="TIME", help="ISO 8601, UTC (default: now)")
    parser.add_argument("--dag-id", help="only this Dag")
    parser.add_argument("--task-id", help="only this task")
    parser.add_argument("--output", choices=("table", "json", "csv"), default="table", help="default: table")


def run(args: argparse.Namespace) -> None:
    """Print the report."""
    try:
        start, end = time_range(args.start, args.end, datetime.now(timezone.utc))
        asked = Filters(start, end, dag_id=args.dag_id, task_id=args.task_id)
        with _progress() as progress:
            found = full_report(asked, progress=progress, memory=Memory(limit=_EVERYTHING))
    except (ValueError, InterruptibleError) as error:
        sys.exit(str(error))
    print({"table": table, "json": as_json, "csv": as_csv}[args.output](found))


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Tell a person who waits how far it is; nobody waits at a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    shown = ""

    def tell(done: int, total: int) -> None:
        nonlocal shown
        text = f"\rreading task instances: {100 * done // max(total, 1)} % of {total}"
        if text != shown:
            shown = text
            print(text, end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        print(file=sys.stderr)


def as_json(found: Report) -> str:
    """Return the report as the API answers it."""
    return json.dumps(found.to_json(), indent=2)


def as_csv(found: Report) -> str:
    """Return the report as comma-separated values, one line a number, for a spreadsheet to turn as it likes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("what", "value", "measure", "amount"))
    writer.writerows((what, _harmless(value), measure, amount) for what, value, measure, amount in _numbers(found))
    return text.getvalue().rstrip("\n")


def _numbers(found: Report) -> Iterator[tuple[str, str, str, Any]]:
    document = found.to_json()
    yield from (("total", "", measure, amount) for measure, amount in document["totals"].items())
    if found.savings is not None:
        yield "total", found.savings.currency, "estimated_savings", found.savings.amount
    for bucket in document["over_time"]:
        start = bucket.pop("start")
        yield from (("time", start, cause, count) for cause, count in bucket.items())
    for name in _DIMENSIONS:
        for share in document[f"by_{name}"]:
            yield name, share["value"], "interruptions", share["interruptions"]
            yield name, share["value"], "lost_hours", share["lost_hours"]


def _harmless(value: str) -> str:
    """Keep a spreadsheet from taking a name that came from outside for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def table(found: Report) -> str:
    """Return the report as plain tables."""
    from tabulate import tabulate

    document = found.to_json()
    sums = [(name.replace("_", " "), _short(value)) for name, value in document["totals"].items()]
    if found.savings is not None:
        sums.append(("saved, estimated", f"{found.savings.amount:.2f} {found.savings.currency}"))
    parts = [f"{found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC", tabulate(sums, tablefmt="plain")]
    if shares := _shares(found):
        parts.append(tabulate(shares, headers=("what", "value", "interruptions", "lost hours")))
    if found.savings is not None:
        parts.append(found.savings.note)
    return "\n\n".join(parts)


def _shares(found: Report) -> list[tuple[str, str, int, str]]:
    return [
        (name, one_line(share.value), share.interruptions, _short(share.lost_hours))
        for name in _DIMENSIONS
        for share in getattr(found, f"by_{name}")[:_SHOWN]
    ]


def _short(value: float) -> str:
    """Return a count as it is, and hours with as many digits as tell something, as the page does."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.2f}" if value < _FEW else f"{value:.1f}"
