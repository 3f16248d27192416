"""Every row of the README's table with the unmodified KubernetesExecutor, nodes reclaimed under running pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.kubernetes.stage import DEMAND, SPOT

if TYPE_CHECKING:
    from e2e.kubernetes.stage import Played

pytestmark = pytest.mark.e2e

ROWS = {
    "u0_s3: ok": ([DEMAND], ["none"], "success"),
    "u0_s3: I ok": ([DEMAND, DEMAND], ["system", "none"], "success"),
    "u2_s3: A A A": ([SPOT, SPOT, DEMAND], ["user"] * 3, "failed"),
    "u2_s3: I I ok": ([SPOT] * 3, ["system", "system", "none"], "success"),
    "u2_s3: I I I I A A": ([SPOT] * 3 + [DEMAND] * 3, ["system"] * 3 + ["user"] * 3, "failed"),
    "u1_s3: I A I ok": ([SPOT, SPOT, DEMAND, DEMAND], ["system", "user", "system", "none"], "success"),
    "u2_s0: I I I": ([SPOT, SPOT, DEMAND], ["user"] * 3, "failed"),
}


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str, played: dict[str, Played]) -> None:
    """The table, our command line, Airflow's REST API, the pods' labels and the nodes they were on agree."""
    capacities, charges, final = ROWS[name]
    result = played[name]
    told = (result.column("capacity"), result.column("charge"), result.run.state)
    assert told == (capacities, charges, final), result.reasons
    assert result.rest == capacities
    assert [[pod.capacity for pod in pods] for pods in result.pods.values()] == [[each] for each in capacities]
    assert [[pod.node_capacity for pod in pods] for pods in result.pods.values()] == [[each] for each in capacities]
