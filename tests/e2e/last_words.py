"""What the tasks of a real stack wrote into their logs, for the report of a test that failed far from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILES, _LINES, _WIDTH = 4, 40, 400


def last_words(home: Path, failure: str) -> str:
    """Return the ends of the logs of the runs that ``failure`` names; of the last tries, if it names none.

    :param home: the home of the stack.
    :param failure: the report of the failed test.
    """
    try:
        logs = sorted(home.glob("logs/dag_id=*/**/*.log"), key=lambda log: log.stat().st_mtime)
        meant = [log for log in logs if _run_of(log) in failure]
        return "\n".join(_end_of(log, home) for log in (meant or logs)[-_FILES:])
    except OSError as error:  # the stack may go meanwhile
        return str(error)


def _run_of(log: Path) -> str:
    (run,) = (part.removeprefix("run_id=") for part in log.parts if part.startswith("run_id="))
    return run


def _end_of(log: Path, home: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LINES:]
    return "\n".join([f"-- {log.relative_to(home)}", *(line[:_WIDTH] for line in lines)])
