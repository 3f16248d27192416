# SPDX-License-Identifier: Apache-2.0
"""What README and docs tell people to paste, pasted: Dag files are parsed by Airflow, commands by its command line.

Operators of a provider that is not installed here are the one excuse; such a block is still Python, which
``tests/unit/test_documentation.py`` holds.
"""

from __future__ import annotations

import configparser
import re
import shlex
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from airflow_interruptible.settings import OPTIONS, SECTION

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACEHOLDER = re.compile(r"[\[\]|]|\.\.\.")


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{document.stem}-{number}")
        for document in DOCUMENTS
        for number, block in enumerate(
            re.findall(rf"^ *```{language}\n(.*?)^ *```", document.read_text(), re.DOTALL | re.MULTILINE)
        )
    ]


def commands(program: str) -> list[Any]:
    """Lines that begin with ``program``, in blocks of commands and where they stand apart."""
    return [
        pytest.param(line, id=f"{document.stem}-{number}")
        for document in DOCUMENTS
        for number, line in enumerate(
            re.findall(rf"^(?:    (?:\$ )?)?({program} .*)$", document.read_text(), re.MULTILINE)
        )
    ]


def is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("block", blocks("python"))
def test_a_dag_file_is_one(block: str, tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    for module in re.findall(r"^(?:from|import) (airflow\.providers\.\S+|torch)", block, re.MULTILINE):
        if not is_here(module):
            pytest.skip(f"{module} is not installed here")
    file = tmp_path / "pasted.py"
    file.write_text(block)
    bag = DagBag(dag_folder=file, collect_dags=False, safe_mode=False)
    bag.process_file(str(file))
    assert bag.import_errors == {}
    assert bool(bag.dags) == (re.search(r"@dag|DAG\(", block) is not None)


@cache
def airflow_s_parser() -> Any:
    from airflow.cli.cli_parser import get_parser

    return get_parser()


@pytest.mark.parametrize("line", commands("airflow"))
def test_a_command_is_one(line: str) -> None:
    """Up to its first redirection, comment or variable; usages with brackets are read as far as they are fixed."""
    words = shlex.split(PLACEHOLDER.split(line)[0], comments=True)[1:]
    words = words[: next((place for place, word in enumerate(words) if word in {">", ">>", "&", "2>&1"}), len(words))]
    if PLACEHOLDER.search(line):
        words = [*words[:2], "--help"] if words[0] == "interruptible" else [words[0], "--help"]
        with pytest.raises(SystemExit, match="0"):
            airflow_s_parser().parse_args(words)
    else:
        assert airflow_s_parser().parse_args(words) is not None


@pytest.mark.parametrize("line", commands("make"))
def test_a_target_is_one(line: str) -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in shlex.split(line, comments=True)[1:]:
        assert target in targets


@pytest.mark.parametrize("block", blocks("ini"))
def test_an_option_is_one(block: str) -> None:
    read = configparser.RawConfigParser()
    read.read_string(block if block.lstrip().startswith("[") else f"[{SECTION}]\n{block}")
    for name, value in read.items(SECTION) if read.has_section(SECTION) else ():
        OPTIONS[name].read(value)
