# SPDX-License-Identifier: Apache-2.0
"""What the vendors document about how things end, as data: one file a vendor surface, each line with its source.

Order is precedence. Within a file: the author's own doing (memory, time-outs, a person's cancel) above what kills from
outside, a disruption above an exit code, and what proves nothing last. Between files: a service's own words before
the words of what it runs on.
"""

from __future__ import annotations

from airflow_interruptible.rules import (
    airflow,
    airflow_sentences,
    aws_batch,
    azure,
    azure_batch,
    databricks,
    dataproc,
    ec2,
    ec2_states,
    ecs,
    ecs_start,
    eks,
    emr,
    gce,
    gcp_batch,
    glue,
    kubernetes,
    kubernetes_containers,
    kubernetes_nodes,
    kubernetes_own,
    kubernetes_removals,
    ray,
    sagemaker,
    schedulers,
    spark,
    vertex,
)

DEFAULT_RULES = (
    *airflow.RULES,
    *aws_batch.RULES,
    *ecs.RULES,
    *ecs_start.RULES,
    *ecs.EXITS,
    *aws_batch.LAST_RESORT,
    *kubernetes_own.RULES,
    *eks.RULES,
    *azure.RULES,
    *kubernetes_removals.RULES,
    *kubernetes.RULES,
    *kubernetes_nodes.RULES,
    *eks.UNDECIDED,
    *kubernetes_containers.RULES,
    *emr.RULES,
    *sagemaker.RULES,
    *glue.RULES,
    *ec2.RULES,
    *ec2_states.RULES,
    *gcp_batch.RULES,
    *dataproc.RULES,
    *vertex.RULES,
    *gce.RULES,
    *azure_batch.RULES,
    *databricks.RULES,
    *spark.RULES,
    *ray.RULES,
    *schedulers.RULES,
)

DEFAULT_SURFACES = (
    airflow_sentences.SURFACE,
    aws_batch.SURFACE,
    ecs.SURFACE,
    kubernetes.SURFACE,
    emr.SURFACE,
    sagemaker.SURFACE,
    glue.SURFACE,
    ec2.SURFACE,
    gcp_batch.SURFACE,
    dataproc.SURFACE,
    vertex.SURFACE,
    gce.SURFACE,
    azure_batch.SURFACE,
    databricks.SURFACE,
    ray.SURFACE,
    schedulers.SURFACE,
)

__all__ = ["DEFAULT_RULES", "DEFAULT_SURFACES", "source_of"]

_SOURCES = {rule.id: rule.source for rule in DEFAULT_RULES}


def source_of(rule_id: str | None) -> str | None:
    """Return the address of the documentation that a rule rests on, None for a rule that there is not, or no longer."""
    return None if rule_id is None else _SOURCES.get(rule_id)
