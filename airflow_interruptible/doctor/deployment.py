# SPDX-License-Identifier: Apache-2.0
"""What this process is told of its deployment: airflow.cfg and the environment, and the executors they name.

The checks see nothing else of Airflow's configuration, so that a test can say what it says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow_interruptible.compute import ComputeChoice
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.server.seam import SeamChangedError, models
from airflow_interruptible.settings import Settings, get_settings

Read = Callable[[str, str], str | None]
"""Returns the value of an option of a section, None if neither anybody nor a default says one."""

_IN_ENVIRONMENT = re.compile(r"AIRFLOW__(.+?)__(.+)")
_INDIRECT = ("_cmd", "_secret")
"""How the name of an option ends whose value is the output of a command, or a secret's name."""


@dataclass(frozen=True)
class Executor:
    """One of the executors that ``[core] executor`` names.

    :param name: as a task would name it.
    :param bases: the names of the classes that it is made of; empty if it cannot be imported here.
    :param ours: whether it is one of this package's own.
    :param error: why it cannot be imported.
    """

    name: str
    bases: frozenset[str] = frozenset()
    ours: bool = False
    error: str = ""


@dataclass(frozen=True)
class Deployment:
    """A deployment, as this process sees it.

    :param read: asks airflow.cfg.
    :param executors: the first of them is the default.
    :param written: the sections and options that somebody wrote, in airflow.cfg or in the environment.
    """

    read: Read
    executors: tuple[Executor, ...] = ()
    written: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def option(self, section: str, name: str, default: str = "") -> str:
        """Return what an option says."""
        found = self.read(section, name)
        return default if found is None or not found.strip() else found.strip()

    def number(self, section: str, name: str, default: float) -> float:
        """Return what an option says, which is a number.

        :raises ValueError: it is none.
        """
        return float(self.option(section, name, str(default)))

    def says_yes(self, section: str, name: str, *, default: bool) -> bool:
        """Return what an option says, which is True or False."""
        return self.option(section, name, str(default)).lower() in ("true", "t", "1")

    def has_executor(self, base: str) -> bool:
        """Whether one of the executors is of that class or made of it."""
        return any(base in executor.bases for executor in self.executors)

    @cached_property
    def settings(self) -> Settings | None:
        """The settings of this package, None if one of them has a value that cannot be meant."""
        try:
            return get_settings()
        except ConfigurationError:
            return None

    @property
    def choice(self) -> ComputeChoice:
        """What places the Airflow task; the compute that moves nothing, if that cannot be read."""
        settings = self.settings
        return ComputeChoice() if settings is None else ComputeChoice(settings.compute, settings.compute_options)


def here() -> Deployment:
    """Return the deployment that this process belongs to, with Airflow's models loaded.

    Loading them takes seconds, on a busy machine many, which are to count against no check.
    """
    from airflow.configuration import conf

    with suppress(SeamChangedError):  # told by state_store
        models()

    def read(section: str, name: str) -> str | None:
        value = conf.get(section, name, fallback=None)
        return None if value is None else str(value)

    return Deployment(read, _executors(read("core", "executor")), _written(conf))


def _executors(configured: str | None) -> tuple[Executor, ...]:
    from airflow.exceptions import AirflowConfigException
    from airflow.executors.executor_loader import ExecutorLoader

    try:
        names = ExecutorLoader.get_executor_names(validate_teams=False)
    except (AirflowConfigException, ValueError) as error:  # what it says of executors cannot be meant
        return (Executor(str(configured), error=str(error)),)
    return tuple(_executor(ExecutorLoader, each) for each in names)


def _executor(loader: Any, named: Any) -> Executor:
    name = str(named.alias or named.module_path.rpartition(".")[2])
    try:
        kind = loader.import_executor_cls(named)[0]
    except Exception as error:  # noqa: BLE001 - a module of somebody's; what it raises is the finding
        return Executor(name, error=f"{type(error).__name__}: {error}")
    bases = frozenset(base.__name__ for base in kind.__mro__)
    return Executor(
        name, bases, ours=any(base.__module__.startswith("airflow_interruptible.") for base in kind.__mro__)
    )


def _written(conf: Any, environ: Mapping[str, str] = os.environ) -> dict[str, frozenset[str]]:
    """Return the options that somebody wrote, by section; Airflow's parser itself holds no defaults."""
    pairs = [(section, name) for section in conf.sections() for name in conf.options(section)]
    matches = [_IN_ENVIRONMENT.fullmatch(name) for name in environ]
    pairs += [(found[1].lower(), found[2].lower()) for found in matches if found]
    written: dict[str, set[str]] = {}
    for section, name in pairs:
        ending = next((each for each in _INDIRECT if name.endswith(each)), "")
        written.setdefault(section.lower(), set()).add(name.removesuffix(ending))
    return {section: frozenset(names) for section, names in written.items()}
