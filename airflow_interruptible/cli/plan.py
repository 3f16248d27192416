# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible plan``: what would happen, without a cluster."""

from __future__ import annotations

import argparse

from airflow_interruptible.cli.output import add_output, document
from airflow_interruptible.core.budget import Budget
from airflow_interruptible.core.ending import Ending
from airflow_interruptible.core.plan import Plan, simulate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--retries", type=_natural, required=True, metavar="U", help="the author's retries")
    parser.add_argument(
        "--system-retries",
        type=_natural,
        default=3,
        metavar="S",
        help="how many system failures are forgiven (default: 3)",
    )
    parser.add_argument("--not-interruptible", action="store_true", help="the task resolves to interruptible=False")
    parser.add_argument(
        "--outcomes",
        type=_endings,
        required=True,
        metavar="LIST",
        help=f"how the attempts end, oldest first, comma-separated: {', '.join(ending.value for ending in Ending)}",
    )
    add_output(parser, default="json")


def run(args: argparse.Namespace) -> None:
    """Print the plan; as JSON, unless another form is asked for."""
    plan = simulate(Budget(args.retries, args.system_retries), not args.not_interruptible, args.outcomes)
    if args.output in ("json", "yaml"):
        print(document(to_json(plan), args.output))
    else:
        print(table(plan, "simple" if args.output == "table" else "plain"))


def table(plan: Plan, form: str) -> str:
    """Return a line for each attempt, and what becomes of the task, in one of tabulate's forms."""
    from tabulate import tabulate

    rows = [(attempt.attempt, attempt.capacity.value, attempt.charge.value) for attempt in plan.attempts]
    upcoming = "" if plan.upcoming is None else f"; the next attempt would run {plan.upcoming.phrase}"
    return f"{tabulate(rows, headers=('attempt', 'capacity', 'charge'), tablefmt=form)}\n\n{plan.final}{upcoming}"


def to_json(plan: Plan) -> dict[str, object]:
    """Return the plan as the command prints it."""
    attempts = [
        {"attempt": attempt.attempt, "capacity": attempt.capacity.value, "charge": attempt.charge.value}
        for attempt in plan.attempts
    ]
    upcoming = None if plan.upcoming is None else plan.upcoming.value
    return {"attempts": attempts, "final": plan.final, "next_capacity": upcoming}


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number >= 0, got {text!r}")
    return int(text)


def _endings(text: str) -> list[Ending]:
    try:
        return [Ending(word.strip()) for word in text.split(",") if word.strip()]
    except ValueError as error:
        known = ", ".join(ending.value for ending in Ending)
        raise argparse.ArgumentTypeError(f"{error}. Known outcomes: {known}") from error
