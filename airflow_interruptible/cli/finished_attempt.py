# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible explain --attempt``: why an attempt that is over was judged as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_interruptible.cli.arguments import map_index
from airflow_interruptible.cli.output import one_line
from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.rules import source_of

if TYPE_CHECKING:
    import argparse

    from airflow_interruptible.attempts import AttemptView


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how an attempt is named."""
    names = ("DAG_ID", "RUN_ID", "TASK_ID")
    parser.add_argument("--attempt", nargs=3, metavar=names, help="explain an attempt of this task instance")
    parser.add_argument("--map-index", type=map_index, default=-1, metavar="N", help="of a mapped task instance")
    parser.add_argument("--number", type=int, metavar="K", help="which attempt (default: the last one that failed)")


def explain(args: argparse.Namespace) -> str:
    """Return the explanation.

    :raises ValueError: there is no such task instance, or no such attempt.
    :raises LedgerError: its history cannot be read.
    """
    from airflow_interruptible.cli.attempts import story

    dag_id, run_id, task_id = args.attempt
    views = story((dag_id, task_id, run_id, args.map_index)).attempts
    chosen = [seen for seen in views if (seen.attempt == args.number if args.number else seen.cause is not None)]
    if not chosen:
        known = ", ".join(str(seen.attempt) for seen in views) or "none"
        raise ValueError(f"no such attempt has failed. Attempts of this task instance: {known}.")
    return render(chosen[-1])


def render(attempt: AttemptView) -> str:
    """Return what a person is told of an attempt."""
    capacity = "unknown" if attempt.capacity is None else attempt.capacity.value
    cause = "none" if attempt.cause is None else attempt.cause.value
    charge = "nobody yet" if attempt.charge is None else attempt.charge.value
    lines = [
        f"attempt:   {attempt.attempt} on {capacity}, {one_line(attempt.state or 'no state')}",
        f"cause:     {cause}, charged to: {charge}",
        f"because:   {one_line(attempt.reason or 'nothing was written down')}",
        f"rule:      {one_line(attempt.rule or 'none')}",
        f"source:    {source_of(attempt.rule) or 'none'}",
        f"otherwise: {_otherwise(attempt)}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _otherwise(attempt: AttemptView) -> str:
    """Say what would have changed the answer."""
    if attempt.cause is Cause.SPOT_INTERRUPTION and attempt.rule is None and attempt.capacity is CapacityType.SPOT:
        return "on demand the same end would not have been called an interruption"
    if attempt.cause in (Cause.UNKNOWN, Cause.APPLICATION):
        return "system, had the cloud, the cluster or a signal shown that the platform ended it"
    return "evidence of the author's own doing, such as an out-of-memory kill of its container, would overrule it"
