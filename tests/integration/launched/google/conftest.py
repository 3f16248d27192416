# SPDX-License-Identifier: Apache-2.0
"""The services of Google Cloud that operators launch work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.providers.google")
from google_api.batch import CloudBatch
from google_api.server import GoogleApi, environment_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def google_endpoint() -> Iterator[GoogleApi]:
    """The endpoint of this process."""
    endpoint = GoogleApi()
    yield endpoint
    endpoint.close()


@pytest.fixture
def google(google_endpoint: GoogleApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleApi]:
    """The endpoint, to which every gRPC client of this process goes, without services yet."""
    for name, value in environment_of(google_endpoint).items():
        monkeypatch.setenv(name, value)
    google_endpoint.services, google_endpoint.asked = [], []
    yield google_endpoint
    for service in google_endpoint.services:
        service.close()


@pytest.fixture
def cloud_batch(google: GoogleApi) -> CloudBatch:
    """A Cloud Batch that runs the scripts of its jobs here."""
    service = CloudBatch()
    google.services.append(service)
    return service


@pytest.fixture
def killer(killer_of: Any) -> Any:
    """Kills what waits for Google Cloud."""
    from airflow.providers.google.cloud.hooks.cloud_batch import CloudBatchHook

    return killer_of((CloudBatchHook, "get_job"))
