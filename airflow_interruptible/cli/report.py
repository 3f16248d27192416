# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible report``: interruptions, hours and savings over a range of time, as the pages show them."""

from __future__ import annotations

import csv
import io
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_interruptible.cli.arguments import moment
from airflow_interruptible.cli.output import add_output, document, one_line
from airflow_interruptible.exceptions import InterruptibleError
from airflow_interruptible.report.answer import full_report
from airflow_interruptible.report.filters import Filters, time_range
from airflow_interruptible.report.memory import Memory
from airflow_interruptible.report.recovery import PARTS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_interruptible.report.memory import Progress
    from airflow_interruptible.report.recovery import Stretch
    from airflow_interruptible.report.totals import Report

_STRETCH = ("count", "median", "p95")
_DIMENSIONS = ("cause", "zone", "instance_type", "dag", "task")
_SHOWN = 10
"""So many values of a dimension in the table; the other forms hold more."""

_FEW = 10
"""From so many hours on, a hundredth tells nothing."""

_EVERYTHING = 2**31 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    time: dict[str, Any] = {"type": moment, "metavar": "TIME"}
    start, end = "ISO 8601, UTC (default: a week before the end)", "ISO 8601, UTC (default: now)"
    parser.add_argument("-s", "--start-date", "--start", dest="start", help=start, **time)
    parser.add_argument("-e", "--end-date", "--end", dest="end", help=end, **time)
    parser.add_argument("--dag-id", help="only this Dag")
    parser.add_argument("--task-id", help="only this task")
    add_output(parser, more=("csv",))


def run(args: argparse.Namespace) -> None:
    """Print the report."""
    try:
        start, end = time_range(args.start, args.end, datetime.now(timezone.utc))
        asked = Filters(start, end, dag_id=args.dag_id, task_id=args.task_id)
        with _progress() as progress:
            found = full_report(asked, progress=progress, memory=Memory(limit=_EVERYTHING))
    except (ValueError, InterruptibleError) as error:
        sys.exit(str(error))
    forms = {"table": table, "plain": as_plain, "csv": as_csv}
    print(forms[args.output](found) if args.output in forms else document(found.to_json(), args.output))


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


def as_plain(found: Report) -> str:
    """Return a line for each number, as the spreadsheet gets it, in columns."""
    from tabulate import tabulate

    return tabulate([(*each[:1], one_line(each[1]), *each[2:]) for each in _numbers(found)], tablefmt="plain")


def as_csv(found: Report) -> str:
    """Return the report as comma-separated values, one line a number, for a spreadsheet to turn as it likes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("what", "value", "measure", "amount"))
    writer.writerows((what, _harmless(value), measure, amount) for what, value, measure, amount in _numbers(found))
    return text.getvalue().rstrip("\n")


def _numbers(found: Report) -> Iterator[tuple[str, str, str, Any]]:
    values = found.to_json()
    yield from (("total", "", measure, amount) for measure, amount in values["totals"].items())
    if found.savings is not None:
        yield "total", found.savings.currency, "estimated_savings", found.savings.amount
    for part, stretch in _recovery(found):
        yield from (("recovery", part, measure, getattr(stretch, measure)) for measure in _STRETCH)
    for bucket in values["over_time"]:
        start = bucket.pop("start")
        yield from (("time", start, cause, count) for cause, count in bucket.items())
    for name in _DIMENSIONS:
        for share in values[f"by_{name}"]:
            yield name, share["value"], "interruptions", share["interruptions"]
            yield name, share["value"], "lost_hours", share["lost_hours"]


def _harmless(value: str) -> str:
    """Keep a spreadsheet from taking a name that came from outside for a formula, and a terminal for a command."""
    shown = "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in value)
    return f"'{shown}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else shown


def table(found: Report) -> str:
    """Return the report as plain tables."""
    from tabulate import tabulate

    values = found.to_json()
    sums = [(name.replace("_", " "), _short(value)) for name, value in values["totals"].items()]
    if found.savings is not None:
        sums.append(("saved, estimated", f"{found.savings.amount:.2f} {found.savings.currency}"))
    parts = [f"{found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC", tabulate(sums, tablefmt="plain")]
    waits = [(part, *map(_short, (stretch.median, stretch.p95)), stretch.count) for part, stretch in _recovery(found)]
    if waits:
        parts.append(tabulate(waits, headers=("time to recover, s", "median", "95 % within", "of")))
    if shares := _shares(found):
        parts.append(tabulate(shares, headers=("what", "value", "interruptions", "lost hours")))
    if found.savings is not None:
        parts.append(found.savings.note)
    return "\n\n".join(parts)


def _recovery(found: Report) -> list[tuple[str, Stretch]]:
    if found.recovery is None:
        return []
    parts = [(name, getattr(found.recovery.parts, name)) for name in PARTS]
    return [("all", found.recovery), *((name, stretch) for name, stretch in parts if stretch is not None)]


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
