# SPDX-License-Identifier: Apache-2.0
"""Whether Airflow's metrics are where we think they are, and take what we give them."""

from __future__ import annotations

import socket
from datetime import timedelta
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from airflow_interruptible.core.capacity import CapacityType
from airflow_interruptible.metrics import TaskMetrics
from airflow_interruptible.stats import IN_SERVERS, IN_TASKS, stats_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACES = pytest.mark.parametrize("place", [IN_TASKS, IN_SERVERS])


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    stats_of.cache_clear()
    yield
    stats_of.cache_clear()


@pytest.fixture
def backend(place: str) -> Iterator[Callable[[Any], None]]:
    """``backend(logger)``: let Airflow send its metrics there."""
    module: Any = import_module(place)

    def use(logger: Any) -> None:
        module.initialize(factory=lambda: logger, export_legacy_names=True)

    yield use
    from airflow._shared.observability.metrics.base_stats_logger import NoStatsLogger

    module.initialize(factory=NoStatsLogger, export_legacy_names=True)


def send(place: str) -> None:
    TaskMetrics(stats_of(place), "dag", "group.work").noticed("ec2", CapacityType.SPOT)
    stats_of(place).timing("interruptible.lost", timedelta(seconds=2), tags={"dag_id": "dag"})


@PLACES
def test_the_canary(place: str) -> None:
    """Airflow's processes set up the very module that we count in."""
    users = {
        IN_TASKS: ("airflow.sdk.execution_time.task_runner", "airflow.sdk._shared.observability.metrics.stats"),
        IN_SERVERS: ("airflow.models.taskinstance", "airflow._shared.observability.metrics.stats"),
    }
    user, theirs = users[place]
    assert import_module(user).stats is import_module(theirs)
    assert stats_of(place).incr is import_module(theirs).incr  # type: ignore[comparison-overlap]
    assert stats_of(place).timing is import_module(theirs).timing  # type: ignore[comparison-overlap]


@PLACES
def test_statsd_takes_what_we_send(place: str, backend: Callable[[Any], None]) -> None:
    from airflow._shared.observability.metrics.statsd_logger import SafeStatsdLogger
    from statsd import StatsClient

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        client = StatsClient("127.0.0.1", server.getsockname()[1], prefix="airflow")
        backend(SafeStatsdLogger(client, influxdb_tags_enabled=True, statsd_influxdb_enabled=True))
        send(place)
        client.close()
        assert server.recv(999).decode() == (
            "airflow.interruptible.notices,dag_id=dag,task_id=group.work,cause=none,capacity=spot,provider=ec2:1|c"
        )
        assert server.recv(999).decode() == "airflow.interruptible.lost,dag_id=dag:2000.000000|ms"


@PLACES
def test_opentelemetry_takes_what_we_send(place: str, backend: Callable[[Any], None]) -> None:
    from airflow._shared.observability.metrics.otel_logger import SafeOtelLogger
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    backend(SafeOtelLogger(MeterProvider([reader])))
    send(place)
    data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: metric.data for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    (counted,), (timed,) = (found[f"airflow.interruptible.{name}"].data_points for name in ("notices", "lost"))
    assert (counted.value, dict(counted.attributes)["provider"]) == (1, "ec2")
    assert (timed.count, timed.sum) == (1, 2000.0)


@pytest.mark.parametrize("found", [None, ModuleType("a module without incr")])
def test_an_airflow_that_keeps_them_elsewhere_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, warnings_of: Callable[[], list[str]], found: ModuleType | None
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, IN_TASKS, found)
    for _ in range(2):
        send(IN_TASKS)
    (warned,) = warnings_of()
    assert IN_TASKS in warned
    assert "Nothing else changes" in warned
