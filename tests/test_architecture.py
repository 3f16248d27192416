# SPDX-License-Identifier: Apache-2.0
"""The shape of the code is checked by machines, and the machines are checked too."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import airflow_interruptible
from airflow_interruptible.compute import COMPUTES

ROOT = Path(__file__).parent.parent
PACKAGE = Path(airflow_interruptible.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
SDKS = ("azure", "boto3", "botocore", "celery", "google.cloud", "kubernetes", "kubernetes_asyncio")
LONGEST = 300
NEED_AN_EXTRA = tuple(f"airflow_interruptible.executors.{name}" for name in ("batch", "celery", "ecs", "kubernetes"))
EVERY_SOURCE = pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))

VIOLATIONS = {
    "layers": ("settings.py", "import airflow_interruptible.worker.book"),
    "pure": ("core/budget.py", "import airflow"),
    "computes": ("compute/queue.py", "import airflow_interruptible.compute.executor"),
    "notices": ("notices/http.py", "import airflow"),
    "server": ("server/events.py", "import airflow_interruptible.annotation"),
    "worker": ("worker/book.py", "import sqlalchemy"),
    "sdks": ("ledger.py", "import boto3"),
}
"""For every contract, a line that breaks it."""


def lint_imports(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in ``root``, with the contracts of the pyproject.toml there."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def loaded_by(names: list[str], *, after: str = "sys") -> set[str]:
    """Import modules in a new process; which modules that loaded beyond those that ``import {after}`` loads.

    The interpreter itself starts with some: namespace packages such as ``google`` are made by ``.pth`` files.
    """
    code = (
        f"import sys, importlib, {after}\nbefore = set(sys.modules)\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print('LOADED', *sorted(set(sys.modules) - before))"
    )
    environment = {**os.environ, "_AIRFLOW__AS_LIBRARY": "1"}  # or ``import airflow`` would load the policy by itself
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert process.returncode == 0, process.stderr
    return set(process.stdout.rpartition("LOADED")[2].split())


def top_level(names: set[str]) -> set[str]:
    """The packages that modules belong to, Python's own left out."""
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def contracts() -> list[dict[str, Any]]:
    toml = pytest.importorskip("tomllib", reason="new in Python 3.11")
    found: list[dict[str, Any]] = toml.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return found


# -- contracts


def test_the_contracts_are_kept() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract["id"] for contract in contracts()} == set(VIOLATIONS)


@pytest.fixture(scope="module")
def broken_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which every contract is broken."""
    root = tmp_path_factory.mktemp("broken")
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(PACKAGE, root / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for path, line in VIOLATIONS.values():
        with (root / PACKAGE.name / path).open("a") as module:
            module.write(f"\n{line}\n")
    return root


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_violation_is_found(broken_package: Path, contract: str) -> None:
    result = lint_imports(broken_package, "--contract", contract)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "0 kept, 1 broken" in result.stdout
    assert VIOLATIONS[contract][1].removeprefix("import ") in result.stdout


def test_the_contract_lists_every_compute() -> None:
    (contract,) = [contract for contract in contracts() if contract["id"] == "computes"]
    assert set(contract["modules"]) == {path.rpartition(".")[0] for path in COMPUTES.values()}


# -- what imports cost


def test_the_core_needs_nothing_but_python() -> None:
    names = [module.name for module in walk_packages([str(PACKAGE / "core")], "airflow_interruptible.core.")]
    loaded = loaded_by(names)
    assert set(names) <= loaded
    assert top_level(loaded) == {"airflow_interruptible"}


def test_the_core_reads_no_clock() -> None:
    """``datetime`` is allowed for its timedelta, so import-linter cannot see this."""
    for source in (PACKAGE / "core").glob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Attribute)}
        assert not names & {"now", "utcnow", "today"}, source.name


def test_importing_the_package_imports_nothing() -> None:
    assert {name for name in loaded_by(["airflow_interruptible"]) if "airflow" in name} == {"airflow_interruptible"}


def test_the_cluster_policy_costs_next_to_nothing() -> None:
    """Every Airflow process imports it: beyond what Airflow has loaded by then, only a handful of small modules."""
    loaded = loaded_by(["airflow_interruptible.policies.cluster"], after="airflow.policies, sqlalchemy.orm")
    assert "airflow_interruptible.policies.cluster" in loaded
    assert top_level(loaded) == {"airflow_interruptible"}
    heavy = {"annotation", "compute", "decorators", "notices", "operators", "rules", "testing"}
    ours = {name.removeprefix("airflow_interruptible.") for name in loaded if name.startswith("airflow_interruptible.")}
    assert not heavy & {name.partition(".")[0] for name in ours}
    assert {name for name in ours if name.startswith("worker.")} == {"worker.warm_shutdown"}


def test_no_module_imports_a_provider_s_sdk() -> None:
    """Of all modules but the two executors that are made of one."""
    names = [
        module.name
        for module in walk_packages([str(PACKAGE)], "airflow_interruptible.")
        if module.name not in NEED_AN_EXTRA and not module.name.endswith("__main__")
    ]
    loaded = loaded_by(names)
    assert set(names) <= loaded
    assert not {name for name in loaded if name.startswith(tuple(f"{sdk}." for sdk in SDKS)) or name in SDKS}


# -- the house rules that no linter knows


@EVERY_SOURCE
def test_a_module_is_short_and_introduces_itself(source: Path) -> None:
    text = source.read_text()
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text))
    assert "/work/" not in text, "a path of somebody's machine"


def test_a_module_has_one_reason_to_exist() -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc"}
    assert [source for source in SOURCES if vague & set(source.stem.split("_"))] == []


@pytest.mark.parametrize("folder", ["worker", "operators", "decorators"])
def test_what_runs_in_a_task_touches_no_model(folder: str) -> None:
    """import-linter sees no further than the name ``airflow``."""
    for source in (PACKAGE / folder).glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith(("airflow.models", "airflow.utils.session", "airflow.settings"))
