"""Pods of the operators of Amazon's and Google's providers, which take seconds to import: so in a file of their own.

Airflow looks only into files that have both words in them: airflow and dag.
"""

import os
from functools import cached_property

from airflow.providers.amazon.aws.operators.eks import EksPodOperator
from airflow.providers.google.cloud.operators.kubernetes_engine import GKEStartPodOperator
from playing import pods


class OurGKEStartPodOperator(GKEStartPodOperator):
    """Finds its cluster without Google's API, which speaks gRPC; everything else is the operator's own."""

    @cached_property
    def cluster_info(self):
        return os.environ["CLUSTER_URL"], os.environ["CLUSTER_AUTHORITY"]


for mode, deferrable in (("sync", False), ("deferrable", True)):
    pods(f"eks_{mode}", EksPodOperator, cluster_name="c", deferrable=deferrable)
    gke = {"project_id": "p", "location": "l", "cluster_name": "c"}
    pods(f"gke_{mode}", OurGKEStartPodOperator, **gke, compute="gke", deferrable=deferrable)
