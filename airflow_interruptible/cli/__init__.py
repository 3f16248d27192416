# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible ...``, and the same as ``python -m airflow_interruptible ...``.

Each command is one module with ``add_arguments(parser)`` and a function that takes the parsed arguments. This module
hangs them into Airflow's command line, which is rebuilt at every call of ``airflow``: nothing heavy is
imported here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

SUMMARY = "Interruptible tasks: attempts, reports, verdicts, plans and a doctor"


@dataclass(frozen=True)
class Command:
    """One command. Its module is loaded when the command, or its help, is asked for."""

    name: str
    help: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""
        self._module.add_arguments(parser)

    def run(self, args: argparse.Namespace) -> None:
        """Run the command."""
        from airflow_interruptible.cli.output import in_words

        with in_words():
            self._module.run(args)

    @property
    def _module(self) -> Any:
        return import_module(f"airflow_interruptible.cli.{self.name}")


COMMANDS = (
    Command("attempts", "Show the attempts of a task instance: capacity, cause, charge, what is left"),
    Command("report", "Sum up a range of time: interruptions, hours on spot and on demand, estimated savings"),
    Command("explain", "Say why a failure means what it means: the rule, its source, what would change the answer"),
    Command("plan", "Play a list of endings through the rules"),
    Command("doctor", "Look for what breaks a promise in this deployment, and say what to set instead"),
)


class _Arguments:
    """All arguments of a command in the place of one :class:`airflow.cli.cli_config.Arg`."""

    flags = ("arguments",)  # what Airflow sorts by; without a dash, as a positional argument is

    def __init__(self, command: Command) -> None:
        self._command = command

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Declare them, when Airflow gets to them."""
        self._command.add_arguments(parser)


def get_cli_commands() -> list[Any]:
    """Return the command group for Airflow's command line."""
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    subcommands = [
        ActionCommand(name=command.name, help=command.help, func=command.run, args=cast("Any", [_Arguments(command)]))
        for command in COMMANDS
    ]
    return [GroupCommand(name="interruptible", help=SUMMARY, subcommands=subcommands)]


def main(argv: list[str] | None = None) -> None:
    """Run ``python -m airflow_interruptible``."""
    parser = argparse.ArgumentParser(prog="python -m airflow_interruptible", description=SUMMARY)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(command=command)
    args = parser.parse_args(argv)
    args.command.run(args)
