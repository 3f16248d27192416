# SPDX-License-Identifier: Apache-2.0
"""Google Dataproc: clusters, which are there at once, or cannot be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from google.cloud import dataproc_v1 as dataproc
from google.longrunning import operations_pb2
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2

from google_api.server import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google_api.server import Method

NO_ROOM = (
    "Insufficient resources: ZONE_RESOURCE_POOL_EXHAUSTED: The zone 'projects/p/zones/us-central1-a' does not have "
    "enough resources available to fulfill the request."
)


@dataclass
class Dataproc:
    """The service.

    :param failing: what the creation of a cluster ends with, None if it succeeds.
    :param deleted: the names of the clusters that were deleted, in order.
    :param creating: called with each cluster that is created, before the answer.
    """

    clusters: dict[str, Any] = field(default_factory=dict)
    failing: str | None = None
    deleted: list[str] = field(default_factory=list)
    creating: Callable[[Any], None] = lambda cluster: None

    def methods(self) -> Mapping[str, Method]:
        service, operation = "google.cloud.dataproc.v1.ClusterController", operations_pb2.Operation
        return {
            f"{service}/CreateCluster": (self.create, dataproc.CreateClusterRequest, operation),
            f"{service}/GetCluster": (self.get, dataproc.GetClusterRequest, dataproc.Cluster),
            f"{service}/DeleteCluster": (self.delete, dataproc.DeleteClusterRequest, operation),
        }

    def create(self, request: Any) -> Any:
        cluster = dataproc.Cluster(request.cluster)
        if cluster.cluster_name in self.clusters:
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"Already exists: Cluster {cluster.cluster_name}")
        cluster.status.state = "RUNNING"
        operation = operations_pb2.Operation(name="projects/p/regions/r/operations/create", done=True)
        if self.failing is not None:
            operation.error.CopyFrom(status_pb2.Status(code=8, message=self.failing))
            return operation
        self.clusters[cluster.cluster_name] = cluster
        self.creating(cluster)
        return _done(operation, dataproc.Cluster.pb(cluster))

    def get(self, request: Any) -> Any:
        return self._known(request.cluster_name)

    def delete(self, request: Any) -> Any:
        self._known(request.cluster_name)
        del self.clusters[request.cluster_name]
        self.deleted.append(request.cluster_name)
        operation = operations_pb2.Operation(name="projects/p/regions/r/operations/delete", done=True)
        return _done(operation, empty_pb2.Empty())

    def _known(self, name: str) -> Any:
        if name not in self.clusters:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"Not found: Cluster {name}")
        return self.clusters[name]

    def close(self) -> None:
        """There are no processes."""


def _done(operation: Any, response: Any) -> Any:
    packed = any_pb2.Any()
    packed.Pack(response)
    operation.response.CopyFrom(packed)
    return operation
