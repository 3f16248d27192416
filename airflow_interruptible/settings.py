# SPDX-License-Identifier: Apache-2.0
"""The ``[interruptible]`` section of airflow.cfg as one frozen value.

Airflow learns the section from :mod:`airflow_interruptible.get_provider_info`, which may not be loaded yet when a
policy asks; hence a fallback for every option, and one table of defaults that both modules use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_interruptible.core.prices import Price, read
from airflow_interruptible.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTION = "interruptible"

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "default": "",
        "system_retries": "3",
        "system_retry_delay": "10",
        "compute": "none",
        "compute_options": "{}",
        "pod_compute": "",
        "pod_compute_options": "{}",
        "notices": "True",
        "session_events": "True",
        "checkpoint_path": "",
        "spot_timeout": "300",
        "prices": "{}",
        "currency": "USD",
    }
)
"""What each option is when nobody sets it, as airflow.cfg would spell it."""

_DIGITS = 6
"""Of a number of retries: the sum of both budgets goes into a column of 32 bits."""


@dataclass(frozen=True)
class Settings:
    """What the platform team said.

    :param default: ``interruptible`` where no task, TaskGroup or Dag says anything. None, which is unset: annotated
        tasks are, and stock ones are left alone. True adopts every stock operator of the deployment; False makes
        annotated tasks say True themselves.
    :param system_retries: failures of the platform forgiven between two clears. 3, as Flyte forgives.
    :param system_retry_delay: the longest wait after the second system failure in a row. 10 s: long enough to
        spread a storm, short beside the start of a machine.
    :param compute: the name of what places the Airflow task itself, see :mod:`airflow_interruptible.compute`.
    :param compute_options: what that compute needs, such as the two queue names.
    :param pod_compute: the name of what places the pods that pod operators launch. Empty: the same as ``compute``, if
        that is one for pods; else they go where their authors send them.
    :param pod_compute_options: what that compute needs. Empty: ``compute_options``, if it is the same compute.
    :param notices: whether tasks listen to the cloud's metadata service. True: where none answers, it costs nothing.
    :param session_events: whether scheduler and API server place attempts by watching their database sessions. True: it
        works with every executor. False for those who use a placing executor instead.
    :param checkpoint_path: where the files of checkpoints go. Empty: ``interruptible-checkpoints`` below
        ``AIRFLOW_HOME``, which works at once, and survives the loss of a process but not of a machine.
    :param spot_timeout: how long a pod may wait for a spot node before the attempt is given up for want of capacity and
        the next one goes on-demand. 5 minutes: longer than an autoscaler needs to start a node that can be had.
    :param prices: what an hour costs, by instance type, see :mod:`airflow_interruptible.core.prices`. Empty: reports
        estimate no savings, since nobody said from what.
    :param currency: of the prices, as reports print it.
    """

    default: bool | None = None
    system_retries: int = 3
    system_retry_delay: timedelta = timedelta(seconds=10)
    compute: str = "none"
    compute_options: Mapping[str, Any] = field(default_factory=dict)
    pod_compute: str = ""
    pod_compute_options: Mapping[str, Any] = field(default_factory=dict)
    notices: bool = True
    session_events: bool = True
    checkpoint_path: str = ""
    spot_timeout: timedelta = timedelta(minutes=5)
    prices: Mapping[str, Price] = field(default_factory=dict)
    currency: str = "USD"


@cache
def get_settings() -> Settings:
    """Read the settings of this process, once.

    :raises ConfigurationError: an option has a value that cannot be meant.
    """
    from airflow.configuration import conf

    def option(key: str) -> str:
        return str(conf.get(SECTION, key, fallback=DEFAULTS[key])).strip()

    return Settings(
        default=_bool("default", option("default")) if option("default") else None,
        system_retries=_natural("system_retries", option("system_retries")),
        system_retry_delay=timedelta(
            seconds=_seconds(
                "system_retry_delay", option("system_retry_delay"), "Use 0 to retry every system failure at once."
            )
        ),
        compute=option("compute"),
        compute_options=_json("compute_options", option("compute_options")),
        pod_compute=option("pod_compute"),
        pod_compute_options=_json("pod_compute_options", option("pod_compute_options")),
        notices=_bool("notices", option("notices")),
        session_events=_bool("session_events", option("session_events")),
        checkpoint_path=_place("checkpoint_path", option("checkpoint_path")),
        spot_timeout=timedelta(seconds=_seconds("spot_timeout", option("spot_timeout"), "Use 0 to give up at once.")),
        prices=_prices("prices", option("prices")),
        currency=option("currency"),
    )


def _wrong(key: str, value: str, wanted: str, instead: str) -> ConfigurationError:
    return ConfigurationError(f"[{SECTION}] {key} must be {wanted}, got {value!r}. {instead}")


def _bool(key: str, value: str) -> bool:
    match value.lower():
        case "true" | "t" | "1":
            return True
        case "false" | "f" | "0":
            return False
    raise _wrong(key, value, "True or False", f"Write one of them, or remove it{_for(DEFAULTS[key])}.")


def _for(default: str) -> str:
    return f" for {default}" if default else ""


def _natural(key: str, value: str) -> int:
    if value.isdecimal() and len(value) <= _DIGITS:
        return int(value)
    wanted = f"a whole number >= 0 of at most {_DIGITS} digits"
    raise _wrong(key, value, wanted, "Use 0 to forgive no system failure.")


def _seconds(key: str, value: str, instead: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= timedelta(days=1).total_seconds():
        return seconds
    raise _wrong(key, value, "a number of seconds from 0 to 86400", instead)


def _prices(key: str, value: str) -> Mapping[str, Price]:
    try:
        return read(_object(value))
    except ValueError as error:
        instead = 'Write {"default": {"spot": 0.10, "on_demand": 0.34}}, with more entries by instance type.'
        raise _wrong(key, value, f"a JSON object of prices an hour ({error})", instead) from error


def _object(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _json(key: str, value: str) -> Mapping[str, Any]:
    parsed = _object(value)
    if isinstance(parsed, dict):
        return parsed
    raise _wrong(
        key, value, "a JSON object", 'Write {"spot": "spot-workers", "on_demand": "default"} for compute = queue.'
    )


def _place(key: str, value: str) -> str:
    if not value or value.startswith("/") or "://" in value:
        return value
    raise _wrong(
        key,
        value,
        "a URL or an absolute path",
        "Use s3://connection@bucket/checkpoints, or a directory that all workers share.",
    )
