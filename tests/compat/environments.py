# SPDX-License-Identifier: Apache-2.0
"""The Airflows and Pythons that are tried, each in an environment of its own below ``.compat``.

Around each Airflow stands what its own requirements resolve to today, as for whoever installs it now. The Pythons are
spread over the Airflows, so that each is tried once; where a Python is not on this machine, its Airflow is tried on the
Python of ``.venv``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".compat"


@dataclass(frozen=True)
class Environment:
    """An Airflow on a Python.

    :param airflow: what to install.
    :param python: the wanted Python's version.
    """

    name: str
    airflow: tuple[str, ...]
    python: str

    @property
    def folder(self) -> Path:
        """Where it is."""
        return HOME / self.name

    @property
    def interpreter(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"


_PRE_RELEASE = ("apache-airflow>=3.4.0a0,<3.5", "apache-airflow-core>=3.4.0a0,<3.5", "apache-airflow-task-sdk>=1.4.0a0")
"""The newest 3.4, a pre-release as long as there is no other: a requirement that names one admits them."""

ENVIRONMENTS = (
    Environment("3.3.0", ("apache-airflow==3.3.0",), "3.10"),
    Environment("3.3.1", ("apache-airflow==3.3.1",), "3.12"),
    Environment("3.3.2", ("apache-airflow==3.3.2",), "3.13"),
    Environment("3.4", _PRE_RELEASE, "3.12"),
)


def make(environment: Environment) -> str | None:
    """Make an environment, or bring it up to date.

    :return: a sentence, if its Python is not on this machine.
    :raises CalledProcessError: its packages do not go together.
    """
    found = _python(environment.python)
    uv = str(Path(sys.executable).with_name("uv"))  # `make venv` installs it
    if not environment.interpreter.exists():
        subprocess.run([uv, "venv", "-q", "--python", found or sys.executable, environment.folder], check=True)
    wanted = [*environment.airflow, "--editable", f"{ROOT}[kubernetes,celery]", "--group", "compat"]
    at = ["--python", environment.interpreter, "--upgrade", "--compile-bytecode"]
    subprocess.run([uv, "pip", "install", "-q", *at, *wanted], check=True, cwd=ROOT)
    if found is not None:
        return None
    return f"There is no Python {environment.python} here, neither in pyenv nor on the PATH: it was not tried."


def version(environment: Environment) -> str:
    """Return which Airflow on which Python it has."""
    code = "import airflow, platform; print(f'Airflow {airflow.__version__} on Python {platform.python_version()}')"
    return subprocess.run(
        [environment.interpreter, "-c", code], check=True, capture_output=True, text=True, env=bare(environment)
    ).stdout.splitlines()[-1]


def bare(environment: Environment) -> dict[str, str]:
    """Return the environment variables of its processes: nothing of Airflow's or of another environment's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "AIRFLOW_HOME": str(environment.folder / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}


def _python(wanted: str) -> Path | None:
    """Return the interpreter of a Python version on this machine."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = [*sorted(pyenv.glob(f"{wanted}.*/bin/python"), reverse=True), shutil.which(f"python{wanted}")]
    return next((Path(each) for each in found if each and _runs(each, wanted)), None)


def _runs(interpreter: Path | str, wanted: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == wanted
