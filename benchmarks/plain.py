# SPDX-License-Identifier: Apache-2.0
"""Runs a probe on a plain Airflow, made of the very same installed packages without this one, or with it.

Plain is a directory of links to everything that is installed but us, put in the place of ``site-packages``. So both
sides of a comparison run the same interpreter and the same files, and only one has our entry points.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from airflow_interruptible.testing.configuration import StackSettings, stack_environment

_OURS = "airflow_interruptible"
_CHECKOUT = Path(__file__).parent.parent
_PROBES = Path(__file__).parent / "probes"
_TOLD = 4000


class Pythons:
    """Two ways to run a probe.

    :param directory: an empty directory for the links and for Airflow's home.
    """

    def __init__(self, directory: Path) -> None:
        self._home = directory / "airflow"
        self._site = directory / "site"
        self._site.mkdir()
        for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            for entry in Path(installed).iterdir():
                if _OURS not in entry.name and entry.suffix != ".pth":
                    (self._site / entry.name).symlink_to(entry)

    def probe(self, name: str, *arguments: str, ours: bool) -> Any:
        """Run a probe, and return the JSON in its last line.

        :param ours: whether this package is installed.
        :raises RuntimeError: the probe failed, or this package was there when it should not, or the reverse.
        """
        settings = StackSettings(self._home, self._home / "dags", api_port=0, worker_log_port=0, triggerer_log_port=0)
        path = os.pathsep.join([sysconfig.get_path("purelib"), str(_CHECKOUT)]) if ours else str(self._site)
        done = subprocess.run(
            [sys.executable, "-S", str(_PROBES / f"{name}.py"), *arguments],
            env={**stack_environment(settings, os.environ), "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the probe {name} failed:\n{done.stdout[-_TOLD:]}{done.stderr[-_TOLD:]}")
        printed = json.loads(done.stdout.splitlines()[-1])
        if printed["ours"] is not ours:
            raise RuntimeError(f"the probe {name} ran {'with' if printed['ours'] else 'without'} this package")
        return printed
