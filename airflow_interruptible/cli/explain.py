# SPDX-License-Identifier: Apache-2.0
"""``airflow interruptible explain``: why a payload means what it means, for a person or for a machine.

It must know nothing of an Airflow deployment: no database, no network. The surprising fact: rubbish is an answer too,
``unknown`` with the reason, since a machine that reads one line out per line in must never lose count.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from airflow_interruptible.cli import finished_attempt
from airflow_interruptible.cli.output import one_line
from airflow_interruptible.core.cause import Cause
from airflow_interruptible.core.classification import Classification, classify
from airflow_interruptible.core.payload import read
from airflow_interruptible.exceptions import LedgerError
from airflow_interruptible.rules import DEFAULT_RULES, DEFAULT_SURFACES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

MAX_LINE = 1_000_000
"""Characters of one input line that are parsed; a longer line is unknown, and costs no more than reading it."""

EXAMPLES = (
    "Examples: explain --service k8s --surface 'pod status' @pod.json, or explain --jsonl payloads.jsonl, or explain "
    "--attempt DAG_ID RUN_ID TASK_ID --number 2."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``explain`` on a parser, under whichever command it hangs."""
    parser.description = (
        "Say what ended an attempt, by which rule, from which source, and what would change the answer."
    )
    parser.epilog = EXAMPLES
    parser.add_argument("payload", nargs="?", help="the payload, JSON or text; @FILE reads it from a file")
    parser.add_argument("--service", help="who reports it: ecs, batch, k8s, gcpbatch, airflow, ...")
    parser.add_argument("--surface", default="", help="where it was found: statusReason, log line, pod status, ...")
    parser.add_argument("--context", help='JSON of what is known besides, e.g. {"capacity": "spot", "node": "n1"}')
    parser.add_argument("--jsonl", metavar="FILE", help="machine form: one JSON object a line in and out; - is stdin")
    finished_attempt.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command. Wrong usage ends the process with status 2 and one line that says what to do."""
    try:
        if args.jsonl:
            _write_lines(args.jsonl, sys.stdout)
        elif args.attempt:
            sys.stdout.write(finished_attempt.explain(args))
        else:
            sys.stdout.write(_for_a_person(args))
    except BrokenPipeError:
        raise
    except (OSError, ValueError, LedgerError) as error:
        sys.stderr.write(f"explain: {error}\n")
        raise SystemExit(2) from None


def answers(lines: Iterable[str]) -> Iterator[str]:
    """The machine form: one JSON object per input line, in order, whatever the line holds."""
    for line in lines:
        yield json.dumps(_machine(_classified(line)))


def _write_lines(source: str, out: TextIO) -> None:
    with _opened(source) as lines:
        out.writelines(f"{answer}\n" for answer in answers(lines))


def _opened(source: str) -> AbstractContextManager[TextIO]:
    """Lines end at a line feed alone, so that no other character in a payload can make two lines of one."""
    if source != "-":
        return Path(source).open(encoding="utf-8", errors="replace", newline="\n")
    if sys.stdin is None:  # closed before we began, as by <&-
        raise ValueError("there is no standard input to read. Name a file after --jsonl.")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    return nullcontext(sys.stdin)


def _classified(line: str) -> Classification:
    if len(line) > MAX_LINE:
        return _unreadable(f"the line is longer than {MAX_LINE} characters")
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return _unreadable("the line is not JSON that can be read")
    if not isinstance(entry, dict):
        return _unreadable("the line is JSON, but not an object with service, surface and payload")
    return _classify(entry.get("service"), entry.get("surface"), entry.get("payload"), entry.get("context"))


def _classify(service: object, surface: object, payload: object, context: object) -> Classification:
    return classify(read(service, surface, payload, context, surfaces=DEFAULT_SURFACES), DEFAULT_RULES)


def _unreadable(reason: str) -> Classification:
    return Classification(Cause.UNKNOWN, None, reason)


def _machine(answer: Classification) -> dict[str, str | None]:
    cause = answer.cause
    return {"cause": cause.value, "charge": cause.charge.value, "rule": answer.rule, "reason": answer.reason}


def _for_a_person(args: argparse.Namespace) -> str:
    if not args.service or args.payload is None:
        raise ValueError("give --service and a payload, --jsonl FILE or --attempt; see --help for examples")
    payload = Path(args.payload[1:]).read_text("utf-8", "replace") if args.payload.startswith("@") else args.payload
    answer = _classify(args.service, args.surface, payload, _context(args.context))
    return render(answer) + _unknown_service(args.service)


def _unknown_service(name: str) -> str:
    known = {
        spelt for surface in DEFAULT_SURFACES for pair in surface.services.items() for spelt in (pair[0], *pair[1])
    }
    if name.lower() in known:
        return ""
    ours = ", ".join(sorted(service for surface in DEFAULT_SURFACES for service in surface.services))
    return f"known:     {ours}\n"


def _context(text: str | None) -> object:
    if text is None:
        return None
    try:
        context = json.loads(text)
    except (ValueError, RecursionError):
        context = None
    if isinstance(context, dict):
        return context
    raise ValueError('--context must be a JSON object, for example \'{"capacity": "spot"}\'')


def render(answer: Classification) -> str:
    """The human form."""
    lines = [
        f"cause:     {answer.cause.value}, charged to: {answer.cause.charge.value}",
        f"because:   {one_line(answer.reason)}",
        f"rule:      {answer.rule or 'none'}",
        f"source:    {answer.source or 'none'}",
        *(f"otherwise: {other}" for other in answer.otherwise),
    ]
    return "".join(f"{line}\n" for line in lines)
