# SPDX-License-Identifier: Apache-2.0
"""Amazon EMR: clusters that end as a test says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_api.server import ApiError, Operations

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Cluster:
    """One cluster. ``code`` and ``message`` are those of its ``StateChangeReason``."""

    id: str
    request: dict[str, Any]
    state: str = "RUNNING"
    code: str = ""
    message: str = ""

    def end(self, state: str, code: str, message: str = "") -> None:
        if not self.state.startswith("TERMINAT"):
            self.state, self.code, self.message = state, code, message

    def described(self) -> dict[str, Any]:
        reason = {"Code": self.code, "Message": self.message} if self.code else {}
        times = {"CreationDateTime": time.time()}
        if self.code:
            times["EndDateTime"] = time.time()
        status = {"State": self.state, "StateChangeReason": reason, "Timeline": times, "ErrorDetails": []}
        return {"Id": self.id, "Name": self.request["Name"], "Status": status}


@dataclass
class Emr(Operations):
    """The service. ``watching`` is called with each cluster that is described, before the answer."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
    watching: Callable[[Cluster], None] = lambda cluster: None

    def run_job_flow(self, request: dict[str, Any]) -> dict[str, Any]:
        for group in request["Instances"].get("InstanceGroups", []):
            if group.get("Market") == "ON_DEMAND" and "BidPrice" in group:
                raise ApiError("ValidationException", "A bid price is not allowed for on-demand instances.")
        cluster = Cluster(f"j-{len(self.clusters) + 1}", request)
        self.clusters[cluster.id] = cluster
        return {"JobFlowId": cluster.id}

    def describe_cluster(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster = self.clusters.get(request["ClusterId"])
        if cluster is None:
            raise ApiError("InvalidRequestException", "Cluster id is not valid.")
        self.watching(cluster)
        return {"Cluster": cluster.described()}

    def terminate_job_flows(self, request: dict[str, Any]) -> dict[str, Any]:
        for name in request["JobFlowIds"]:
            self.clusters[name].end("TERMINATED", "USER_REQUEST", "Terminated by user request")
        return {}
