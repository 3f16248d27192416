# SPDX-License-Identifier: Apache-2.0
"""What Airflow's provider manager is told."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from packaging.version import Version

from airflow_interruptible.get_provider_info import get_provider_info
from airflow_interruptible.settings import OPTIONS as DECLARED
from airflow_interruptible.settings import SECTION

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
OPTIONS = get_provider_info()["config"][SECTION]["options"]


def resolve(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_it_is_valid_against_airflow_s_own_schema() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_every_option_is_documented_and_no_other() -> None:
    assert set(OPTIONS) == set(DECLARED)


@pytest.mark.parametrize("key", OPTIONS)
def test_a_default_survives_airflow_s_formatting(key: str) -> None:
    assert OPTIONS[key]["default"].format() == DECLARED[key].default


@pytest.mark.parametrize("key", OPTIONS)
def test_an_option_says_what_it_is(key: str) -> None:
    option = OPTIONS[key]
    assert option["description"].endswith(".")
    assert option["type"] in {"string", "boolean", "integer", "float"}
    coming = re.search(r"^## \[?([\d.]+)", CHANGELOG.read_text(), re.MULTILINE)
    assert coming is not None
    assert Version(option["version_added"]) <= Version(coming[1])


def test_airflow_has_read_it() -> None:
    """Installed, the section is part of Airflow's own configuration, defaults included."""
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()
    from airflow.configuration import conf

    defaults = {key: option.default for key, option in DECLARED.items()}
    assert {key: conf.get(SECTION, key) for key in DECLARED} == defaults


def test_the_names_lead_somewhere() -> None:
    info = get_provider_info()
    for decorator in info["task-decorators"]:
        assert callable(resolve(decorator["class-name"]))
    for command in info["cli"]:
        assert callable(resolve(command))
