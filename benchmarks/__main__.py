# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks [MEASURE ...]``: take the measures, print them, and write them into README.md."""

from __future__ import annotations

import argparse
import compileall
import time
from importlib import import_module
from pathlib import Path

import airflow_interruptible
from benchmarks import MEASURES, machine, report

README = Path(__file__).with_name("README.md")


def main(arguments: list[str] | None = None) -> None:
    """Take the measures that are named, by default all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measure", nargs="*", choices=[[], *MEASURES], help=f"{', '.join(MEASURES)}; default: all")
    names = parser.parse_args(arguments).measure or list(MEASURES)
    # What pip does when it installs: an import that has to compile first would be measured instead.
    compileall.compile_dir(Path(airflow_interruptible.__file__).parent, quiet=1)
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {text}", flush=True)

    for name in names:
        say(f"--- {name}")
        section = import_module(MEASURES[name]).measure(say)
        text = report.render(section, machine.line(f"python -m benchmarks {name}"))
        print(f"\n{text}\n", flush=True)
        report.update(README, {name: text}, list(MEASURES))


if __name__ == "__main__":
    main()
