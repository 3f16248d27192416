# SPDX-License-Identifier: Apache-2.0
"""``make compat``: the core of the tests on every supported Airflow, and a database that is upgraded between two.

::

    python tests/compat                 all
    python tests/compat 3.3.0 3.4       these Airflows; the upgrade needs 3.3.2 and 3.4
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from compat.environments import ENVIRONMENTS, ROOT, Environment, bare, make, version

if TYPE_CHECKING:
    from collections.abc import Sequence

CORE = {
    "unit": [*(f"tests/unit/{part}" for part in ("core", "server", "worker", "report", "cli", "policies", "ui")),
             "tests/unit/test_ledger.py", "tests/unit/test_marker.py", "tests/unit/test_hostile_ledgers.py"],
    "integration": ["tests/integration/server", "tests/integration/dag_test", "tests/integration/test_decorators.py",
                    "tests/integration/test_dag_serialization.py", "tests/integration/test_pickle.py"],
    "real stack": ["tests/e2e/contract/test_rows.py", "tests/e2e/placement/test_placement.py"],
}  # fmt: skip
"""What is run on each, in this order."""

UPGRADE = ("3.3.2", "3.4")


def main(names: Sequence[str]) -> int:
    """Run what was asked for, and say what came of it.

    :return: the exit status: how many parts failed.
    """
    known = {each.name: each for each in ENVIRONMENTS}
    if unknown := set(names) - known.keys():
        sys.exit(f"No such Airflow: {', '.join(sorted(unknown))}. Known are {', '.join(known)}.")
    chosen = [known[name] for name in names] or list(ENVIRONMENTS)
    said, failed = [], 0
    for environment in chosen:
        note = make(environment)
        title = version(environment)
        said += [note] if note else []
        for part, paths in CORE.items():
            code, seconds = _pytest(environment, paths)
            failed += code != 0
            said.append(f"{title}, {part}: {'passed' if code == 0 else 'FAILED'} in {seconds:.0f} s")
            print(said[-1], flush=True)
    if {*UPGRADE} <= {each.name for each in chosen}:
        old, new = (known[name] for name in UPGRADE)
        code, seconds = _pytest(new, ["tests/compat"], {"COMPAT_UPGRADE_FROM": str(old.interpreter)})
        failed += code != 0
        verdict = "passed" if code == 0 else "FAILED"
        said.append(f"{version(old)}, upgraded to {version(new)} in the middle of runs: {verdict} in {seconds:.0f} s")
    print("", *said, sep="\n")
    return failed


def _pytest(environment: Environment, paths: Sequence[str], more: dict[str, str] | None = None) -> tuple[int, float]:
    begun = time.monotonic()
    call = [environment.interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--dist", "loadscope", "-n", "2"]
    code = subprocess.run([*call, *paths], cwd=ROOT, env=bare(environment) | (more or {}), check=False).returncode
    return code, time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
