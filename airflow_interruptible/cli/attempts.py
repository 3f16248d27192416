# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible attempts``: what each attempt of a task instance ran on, why it ended, what it cost."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_interruptible.attempts import AttemptView, Story, tell
from airflow_interruptible.cli.arguments import map_index
from airflow_interruptible.cli.output import add_output, document, one_line
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.server import tries
from airflow_interruptible.summary import summary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from airflow_interruptible.server.seam import Key

_COLUMNS = ("attempt", "state", "capacity", "cause", "charge", "start", "seconds", "left", "host")


_UNPLACED = "(spot), (on-demand): what would have been. Nothing is moved, as compute is none."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("dag_id")
    parser.add_argument("run_id")
    parser.add_argument("task_id")
    parser.add_argument("--map-index", type=map_index, default=-1, metavar="N", help="of a mapped task instance")
    add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Print the attempts, oldest first."""
    try:
        told = story((args.dag_id, args.task_id, args.run_id, args.map_index))
    except (ValueError, LedgerError) as error:
        sys.exit(str(error))
    if args.output in ("json", "yaml"):
        print(document([attempt.to_json() for attempt in told.attempts], args.output))
    elif args.output == "plain":
        print(rows(told.attempts, "plain"))
    else:
        print(as_text(told))


def story(key: Key) -> Story:
    """Return the attempts of a task instance, and what they lead to.

    :raises ValueError: there is no such task instance.
    :raises LedgerError: its history cannot be read.
    """
    from airflow.utils.session import create_session

    with create_session() as session:
        known = tries.read(session, key)
        if known is None:
            dag_id, task_id, run_id, map_index = key
            mapped = f", map index {map_index}" if map_index >= 0 else ""
            raise ValueError(
                f"There is no task instance {dag_id}.{task_id} in run {run_id!r}{mapped}. "
                "See: airflow tasks states-for-dag-run"
            )
        return tell(known)


def as_text(told: Story) -> str:
    """Return what happened in one sentence, and the attempts as a table."""
    return f"{summary(told)}\n\n{table(told.attempts)}"


def table(views: Sequence[AttemptView]) -> str:
    """Return the attempts as a table, with the reasons below it."""
    reasons = [f"{attempt.attempt:>3}  {one_line(text)}" for attempt in views for text in _said(attempt)]
    unplaced = [] if all(attempt.placed for attempt in views) else [_UNPLACED]
    return "\n".join([rows(views, "simple"), *unplaced, "", *reasons]).rstrip()


def rows(views: Sequence[AttemptView], form: str) -> str:
    """Return a line for each attempt below the names of the columns, in one of tabulate's forms."""
    from tabulate import tabulate

    found = [_row(attempt) for attempt in views]
    as_text = [_COLUMNS.index("host")] if found else []  # 123456789e12 is a container's name, no number
    return tabulate(found, headers=_COLUMNS, tablefmt=form, disable_numparse=as_text)


def _said(attempt: AttemptView) -> Iterator[str]:
    if attempt.reason:
        yield attempt.reason
    if attempt.error:
        yield f"the error: {attempt.error}"


def _row(attempt: AttemptView) -> tuple[Any, ...]:
    values = attempt.to_json()
    seconds = (attempt.end - attempt.start).total_seconds() if attempt.start and attempt.end else None
    start = attempt.start.strftime("%H:%M:%S") if attempt.start else None
    left = (
        f"{attempt.user_retries_left} user, {attempt.system_retries_left} system"
        if attempt.user_retries_left is not None
        else None
    )
    if values["capacity"] and not attempt.placed:
        values["capacity"] = f"({values['capacity']})"
    return (
        *(values[name] or "-" for name in ("attempt", "state", "capacity", "cause", "charge")),
        start or "-",
        "-" if seconds is None else f"{seconds:.1f}",
        left or "-",
        one_line(attempt.host or "-"),
    )
