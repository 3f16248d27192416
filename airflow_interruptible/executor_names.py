# SPDX-License-Identifier: Apache-2.0
"""Which executor a task is bound for, and what that is made of.

``[core] executor`` gives names, module paths or aliases, the default first; teams may have lists of their own. Read
once in each process: Airflow itself never looks again.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module

log = logging.getLogger(__name__)


def path_of(executor: str | None) -> str:
    """Return the name or the module path that an executor is configured by.

    :param executor: a class name, its dotted path or its alias; None is the first of ``[core] executor``.
    """
    first, aliases = _configured()
    return aliases.get(executor or first, executor or first)


@cache
def classes_of(path: str) -> frozenset[str] | None:
    """Return the names of the classes that an executor is made of, None if it cannot be imported here.

    :param path: see :func:`path_of`. One without a module is Airflow's own, of which only its name is known.
    """
    module, _, name = path.rpartition(".")
    if not module:
        return frozenset({name})
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        log.warning(
            "Executor %s cannot be imported here (%s), so its tasks stay where they are placed first.", path, error
        )
        return None
    return frozenset(base.__name__ for base in kind.__mro__)


@cache
def _configured() -> tuple[str, dict[str, str]]:
    """The default executor, and the paths of those that have an alias."""
    from airflow.configuration import conf

    configured = str(conf.get("core", "executor", fallback="LocalExecutor"))
    teams = [team.rpartition("=")[2] for team in configured.split(";")]
    entries = [entry.replace(" ", "") for team in teams for entry in team.split(",")]
    aliases = dict(entry.split(":", 1) for entry in entries if ":" in entry)
    return entries[0].rpartition(":")[2], aliases
