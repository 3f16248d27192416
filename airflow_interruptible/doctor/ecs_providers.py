# SPDX-License-Identifier: Apache-2.0
"""Capacity providers that ``launched`` names for ECS: whether they exist, and whether a cluster has them.

The surprising fact: a provider that exists is of no use to a cluster with which it is not associated.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_interruptible.doctor.cloud import asked, not_permitted
from airflow_interruptible.doctor.finding import Finding, Severity
from airflow_interruptible.remote import aws
from airflow_interruptible.remote.answer import each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_interruptible.doctor.deployment import Deployment

_IN_A_CALL = 100
"""Clusters of one call. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html"""


def check(deployment: Deployment) -> Iterator[Finding]:
    """Ask ECS for its clusters, if airflow.cfg speaks of ECS."""
    settings = deployment.settings
    said = settings.launched.get("ecs") if settings is not None else None
    if isinstance(said, dict) and said:
        yield from _held_against(aws.client("ecs"), said)


def _held_against(client: Any, said: Mapping[str, Any]) -> Iterator[Finding]:
    listed = asked(client.list_clusters, maxResults=_IN_A_CALL)
    if listed is None:
        yield not_permitted("ecs:ListClusters", "Whether the capacity providers are there could not be looked at.")
        return
    arns = list(listed.get("clusterArns", []))
    described = asked(client.describe_clusters, clusters=arns) if arns else {}
    if described is None:
        yield not_permitted("ecs:DescribeClusters", "Whether the capacity providers are there could not be looked at.")
        return
    clusters = each(described, "clusters")
    associated = {name for cluster in clusters for name in cluster.get("capacityProviders", [])}
    for capacity in ("spot", "on_demand"):
        name = said.get(capacity)
        if isinstance(name, str) and name not in associated:
            yield Finding(
                id="ecs/provider",
                severity=Severity.ERROR,
                setting=f"[interruptible] launched, ecs, {capacity}",
                value=name,
                better=f"one of {', '.join(sorted(associated))}" if associated else "a provider of the cluster",
                why=f"None of the {len(clusters)} clusters that this process sees is associated with that capacity "
                "provider, so RunTask refuses every such attempt.",
                link="docs/aws.md#ecsruntaskoperator",
            )
