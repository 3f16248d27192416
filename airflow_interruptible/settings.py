# SPDX-License-Identifier: Apache-2.0
"""The ``[interruptible]`` section of airflow.cfg as one frozen value, and the one place where its options are declared.

Airflow learns the section from :mod:`airflow_interruptible.get_provider_info`, which may not be loaded yet when a
policy asks; hence a fallback for every option. A new option is one field here, and ``make docs``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_interruptible import link_template
from airflow_interruptible.core.prices import Price, read
from airflow_interruptible.exceptions import ConfigurationError
from airflow_interruptible.options import (
    Option,
    UnmeantError,
    boolean,
    boolean_or_unset,
    json_object,
    natural,
    option,
    parsed_json,
    place,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

SECTION = "interruptible"


@dataclass(frozen=True)
class Settings:
    """What the platform team said; what each option means stands beside it."""

    default: bool | None = option(
        "",
        boolean_or_unset,
        type="boolean",
        doc="Whether tasks are interruptible where neither they nor their TaskGroup or Dag say so. Empty: those that "
        "are annotated are, and stock operators are left alone. True: every stock operator of the deployment is "
        "interruptible, too. False: annotated tasks have to say interruptible=True themselves.",
        why="Whoever wrote the word means it, and nobody else is touched.",
        example="True",
    )
    system_retries: int = option(
        "3",
        natural,
        type="integer",
        doc="How many interruptions and other system failures a task is forgiven between two clears.",
        why="Flyte forgives three.",
    )
    system_retry_delay: timedelta = option(
        "10",
        seconds,
        type="float",
        doc="The longest wait, in seconds, after the second system failure in a row. Doubled for each further "
        "one, at most 5 minutes, with full jitter; the first of a row is retried at once.",
        why="Long enough to spread a storm, short beside the start of a machine.",
    )
    compute: str = option(
        "none",
        str,
        type="string",
        doc="What places the Airflow task itself: none, queue, executor, kubernetes, karpenter, eks, gke, aks, "
        "ecs, batch.",
        why="Nothing is moved until somebody says what spot and on-demand are.",
        example="queue",
    )
    compute_options: Mapping[str, Any] = option(
        "{}",
        json_object,
        type="string",
        doc="What the compute needs, as JSON: the two queues, the two executors, what pods ask of nodes.",
        why="There are no queues that every deployment has.",
        example='{"spot": "spot-workers", "on_demand": "default"}',
    )
    pod_compute: str = option(
        "",
        str,
        type="string",
        doc="What places the pods that pod operators launch: none, kubernetes, karpenter, eks, gke, aks. Empty: "
        "the same as compute, if that is one of them.",
        why="One cluster is the rule.",
        example="karpenter",
    )
    pod_compute_options: Mapping[str, Any] = option(
        "{}",
        json_object,
        type="string",
        doc="What that compute needs, as JSON. Empty: compute_options, if it is the same compute.",
        why="One cluster is the rule.",
        example='{"spot": {"tolerations": [{"key": "team-spot", "operator": "Exists"}]}}',
    )
    launched: Mapping[str, Any] = option(
        "{}",
        json_object,
        type="string",
        doc="Where the work goes that operators launch on a service, as JSON by kind of work (ecs, ...): what it needs "
        'to know, or "none" to leave it where its authors send it. docs/aws.md, docs/google.md and '
        "docs/databricks.md list the kinds.",
        why="Fargate has a spot provider of its own; what needs names of yours is left alone until you say them.",
        example='{"ecs": {"spot": "my-spot-provider", "on_demand": "my-provider"}}',
        added="0.2.0",
    )
    notices: bool = option(
        "True",
        boolean,
        type="boolean",
        doc="Whether a running task listens to the metadata service of its cloud (EC2, GCE, Azure) for the notice "
        "that its machine will be reclaimed.",
        why="Where no metadata service answers, listening costs nothing.",
    )
    session_events: bool = option(
        "True",
        boolean,
        type="boolean",
        doc="Whether the scheduler and the API server place attempts by watching their database sessions. Turn it "
        "off if you use one of airflow_interruptible.executors instead.",
        why="It works with every executor.",
    )
    checkpoint_path: str = option(
        "",
        place,
        type="string",
        doc="Where the files of checkpoints go: a URL that ObjectStoragePath understands, or an absolute path. It "
        "must be storage that all workers share if files are to survive a lost machine. Empty: a directory "
        "interruptible-checkpoints below AIRFLOW_HOME.",
        why="It works at once, and survives the loss of a process, though not of a machine.",
        example="s3://aws_default@bucket/checkpoints",
    )
    spot_timeout: timedelta = option(
        "300",
        seconds,
        type="float",
        doc="How long, in seconds, a pod may wait for a spot node, or a job of Cloud Batch for a spot machine, before "
        "the attempt is given up for want of capacity and the next one goes on demand.",
        why="Longer than an autoscaler needs to start a node that can be had.",
    )
    late_heartbeat: timedelta = option(
        "10",
        seconds,
        type="float",
        doc="How old, in seconds, the last heartbeat of a running attempt may be before the scheduler looks for it "
        "where it runs, and ends it if it is proved to be gone. 0: only Airflow's own time-out counts.",
        why="Two of the heartbeats that a supervisor owes every 5 s; a look that was not needed harms nobody.",
        added="0.2.0",
    )
    prices: str = option(
        "{}",
        str,
        type="string",
        doc="What an hour of one machine costs, as JSON by instance type; default is for all others. Reports "
        "estimate from it what spot has saved.",
        why="No savings are estimated from prices that nobody gave.",
        example='{"default": {"spot": 0.10, "on_demand": 0.34}}',
    )
    currency: str = option(
        "USD",
        str,
        type="string",
        doc="The currency of the prices, as reports print it.",
        why="Most price lists are in it.",
        example="EUR",
    )

    links: str = option(
        "{}",
        str,
        type="string",
        doc="Where the pages link what they name of the place an attempt ran in, as JSON of templates by host, node, "
        "pod, instance_id or job. In braces stands what is known of that place, such as zone and queue, and region, if "
        "the zone tells it.",
        why="Which account and which portal it is, only the deployment knows.",
        example='{"instance_id": "https://console.example.com/{region}/{instance_id}", "pod": "https://pods.example.com/{pod}"}',
    )

    def link_templates(self) -> Mapping[str, str]:
        """Return the templates of links. They are read by the pages, so that wrong ones cost no more than links.

        :raises ConfigurationError: they are no templates.
        """
        try:
            return link_template.read(parsed_json(self.links))
        except ValueError as error:
            instead = 'Write {"pod": "https://viewer.example.com/pods/{pod}"}.'
            raise _wrong("links", self.links, f"a JSON object of addresses ({error})", instead) from error

    def price_list(self) -> Mapping[str, Price]:
        """Return the prices. They are read by who needs them, so that wrong ones cost no more than a report.

        :raises ConfigurationError: they are no prices.
        """
        try:
            return read(parsed_json(self.prices))
        except ValueError as error:
            instead = 'Write {"default": {"spot": 0.10, "on_demand": 0.34}}, with more entries by instance type.'
            raise _wrong("prices", self.prices, f"a JSON object of prices an hour ({error})", instead) from error


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {declared.name: declared.metadata["option"] for declared in fields(Settings)}
)
"""Every option by its name."""


@cache
def get_settings() -> Settings:
    """Read the settings of this process, once.

    :raises ConfigurationError: an option has a value that cannot be meant.
    """
    from airflow.configuration import conf

    return Settings(
        **{
            name: _value(name, declared, str(conf.get(SECTION, name, fallback=declared.default)).strip())
            for name, declared in OPTIONS.items()
        }
    )


def _value(name: str, declared: Option, text: str) -> Any:
    try:
        return declared.read(text)
    except UnmeantError as error:
        raise _wrong(name, text, error.wanted, error.instead) from error


def _wrong(name: str, text: str, wanted: str, instead: str) -> ConfigurationError:
    """Say what is wrong. Not as ``[interruptible] name``: Airflow's tables take a word in brackets for markup."""
    return ConfigurationError(f"{name} in section {SECTION} of airflow.cfg must be {wanted}, got {text!r}. {instead}")
