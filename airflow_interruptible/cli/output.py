# SPDX-License-Identifier: Apache-2.0
"""What becomes of a command's output: who reads it, what may be in it, and what is said instead of a traceback."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_interruptible.server.seam import SeamChangedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from typing import Any

_NOBODY_READS = 141
"""The exit status of what a closed pipe has ended, as shells know it: 128 and the number of SIGPIPE."""


def add_output(parser: argparse.ArgumentParser, default: str = "table", more: Sequence[str] = ()) -> None:
    """Declare ``-o``, as Airflow's own commands have it.

    :param more: forms that only this command has.
    """
    forms = ("table", "json", "yaml", "plain", *more)
    metavar = f"({', '.join(forms)})"
    parser.add_argument(
        "-o", "--output", choices=forms, default=default, metavar=metavar, help=f"Output format (default: {default})"
    )


def document(found: Any, output: str) -> str:
    """Return what is found, which JSON can say, as ``json`` or ``yaml``."""
    if output == "json":
        return json.dumps(found, indent=2)
    import yaml  # type: ignore[import-untyped]

    return str(yaml.safe_dump(found, sort_keys=False, allow_unicode=True)).rstrip("\n")


def one_line(text: object) -> str:
    """Return text from outside as one line that a terminal only shows: no escape codes, no line ends."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()


@contextmanager
def in_words() -> Iterator[None]:
    """Run a command: end quietly once nobody reads it, as in ``| head``, and say what Airflow or its database lacks.

    :raises SystemExit: with status 141 or 1.
    """
    if sys.stdout is None:  # closed before we began, as by >&-
        raise SystemExit(_NOBODY_READS)
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python itself would complain at its end
        raise SystemExit(_NOBODY_READS) from None
    except SeamChangedError as error:
        sys.exit(str(error))
    except Exception as error:
        if not _is_from_database(error):
            raise
        sys.exit(
            f"Airflow's metadata database does not answer: {one_line(getattr(error, 'orig', None) or error)}. Run this "
            "where [database] sql_alchemy_conn names it, and if it is new, run `airflow db migrate` first."
        )


def _is_from_database(error: Exception) -> bool:
    """Whether SQLAlchemy raised it, which is loaded by then if it did."""
    errors = sys.modules.get("sqlalchemy.exc")
    return errors is not None and isinstance(error, errors.SQLAlchemyError)
