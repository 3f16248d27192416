# SPDX-License-Identifier: Apache-2.0
"""The fakes against clients that are not ours: what they answer must be what the vendors document."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from airflow_interruptible.testing.metadata import FakeAzureMetadata, FakeEC2Metadata, FakeGCEMetadata, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, names, method=method)
    try:
        with DIRECT.open(request, timeout=10) as response:
            return response.status, response.read().decode(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


@pytest.fixture
def ec2() -> Iterator[FakeEC2Metadata]:
    with FakeEC2Metadata() as fake:
        yield fake


def token(fake: FakeEC2Metadata, ttl: str = "60") -> str:
    return call(f"{fake.url}/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds=ttl)[1]


def test_ec2_wants_a_token_and_a_sane_ttl(ec2: FakeEC2Metadata) -> None:
    url = f"{ec2.url}/latest/meta-data/instance-life-cycle"
    assert call(url)[0] == 401
    assert call(url, X_aws_ec2_metadata_token="wrong")[0] == 401
    assert call(url, X_aws_ec2_metadata_token=token(ec2))[:2] == (200, "spot")
    for ttl in ("0", "21601", "x", ""):
        assert call(f"{ec2.url}/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds=ttl)[0] == 400
    forwarded = {"X_aws_ec2_metadata_token": token(ec2), "X_Forwarded_For": "10.0.0.1"}
    assert call(url, **forwarded)[0] == 403


def test_ec2_tokens_expire(ec2: FakeEC2Metadata) -> None:
    short = token(ec2, "1")
    url = f"{ec2.url}/latest/meta-data/instance-id"
    assert call(url, X_aws_ec2_metadata_token=short)[0] == 200
    until(lambda: call(url, X_aws_ec2_metadata_token=short)[0] == 401)


def test_ec2_notices_appear_and_go(ec2: FakeEC2Metadata) -> None:
    header = {"X_aws_ec2_metadata_token": token(ec2)}
    url = f"{ec2.url}/latest/meta-data/spot/instance-action"
    assert call(url, **header)[0] == 404
    ec2.interrupt("stop")
    assert json.loads(call(url, **header)[1])["action"] == "stop"
    ec2.clear()
    assert call(url, **header)[0] == 404
    ec2.recommend_rebalance()
    assert call(url, **header)[0] == 404
    assert call(f"{ec2.url}/latest/meta-data/events/recommendations/rebalance", **header)[0] == 200


def test_botocore_reads_the_fake(ec2: FakeEC2Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    utils = pytest.importorskip("botocore.utils")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    fetcher = utils.InstanceMetadataRegionFetcher(
        timeout=2, num_attempts=1, env={}, config={"ec2_metadata_service_endpoint": ec2.url}
    )
    assert fetcher.retrieve_region() == "eu-central-1"


def test_gce_wants_its_header_and_holds_long_polls() -> None:
    with FakeGCEMetadata() as gce:
        url = f"{gce.url}/computeMetadata/v1/instance/preempted"
        assert call(url)[0] == 403
        status, body, headers = call(url, Metadata_Flavor="Google")
        assert (status, body, headers["Metadata-Flavor"]) == (200, "FALSE", "Google")
        began = time.monotonic()
        assert call(f"{url}?wait_for_change=true&timeout_sec=1", Metadata_Flavor="Google")[1] == "FALSE"
        assert 0.9 < time.monotonic() - began < 60
        threading.Timer(0.2, gce.interrupt).start()
        assert call(f"{url}?wait_for_change=true", Metadata_Flavor="Google")[1] == "TRUE"
        # Changed since: at once.
        stale = f"{url}?wait_for_change=true&last_etag={headers['ETag']}"
        assert call(stale, Metadata_Flavor="Google")[1] == "TRUE"
        assert call(url, Metadata_Flavor="Google", X_Forwarded_For="10.0.0.1")[0] == 403


def test_google_auth_finds_the_fake() -> None:
    pytest.importorskip("google.auth.compute_engine")
    script = (
        "import google.auth.transport.requests as t, google.auth.compute_engine._metadata as m\n"
        "print(m.get(t.Request(), 'instance/preempted'))\n"
    )
    with FakeGCEMetadata() as gce:
        environ = {**os.environ, **gce.env, "NO_PROXY": "*"}
        done = subprocess.run([sys.executable, "-c", script], env=environ, timeout=30, capture_output=True, check=True)
        assert done.stdout.strip() == b"TRUE" or done.stdout.strip() == b"FALSE"


def test_azure_wants_its_header_and_a_version() -> None:
    with FakeAzureMetadata() as azure:
        url = f"{azure.url}/metadata/scheduledevents"
        assert call(f"{url}?api-version=2020-07-01")[0] == 400
        assert call(url, Metadata="true")[0] == 400
        assert json.loads(call(f"{url}?api-version=2020-07-01", Metadata="true")[1])["Events"] == []
        azure.interrupt(resource="another")
        document = json.loads(call(f"{url}?api-version=2020-07-01", Metadata="true")[1])
        assert document["DocumentIncarnation"] == 2
        assert document["Events"][0]["Resources"] == ["another"]


def test_a_fault_that_a_fake_cannot_show_is_refused(ec2: FakeEC2Metadata) -> None:
    with FakeGCEMetadata() as gce, pytest.raises(ValueError, match="cannot show"):
        gce.fail(Fault.TOKEN_HANGS)
    with pytest.raises(ValueError, match="nonsense"):
        ec2.fail("nonsense")


def test_closing_a_fake_releases_what_hangs() -> None:
    ec2 = FakeEC2Metadata().start()
    ec2.fail(Fault.TOKEN_HANGS)
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(token(ec2)))
    thread.start()
    until(lambda: ec2.requests)
    ec2.stop()
    thread.join(60)
    assert len(answers) == 1


def test_control_over_http(ec2: FakeEC2Metadata) -> None:
    def control(name: str, **arguments: object) -> int:
        return call(f"{ec2.url}/_control/{name}", "POST", json.dumps(arguments).encode())[0]

    assert control("interrupt", action="hibernate", in_seconds=60) == 200
    header = {"X_aws_ec2_metadata_token": token(ec2)}
    action = call(f"{ec2.url}/latest/meta-data/spot/instance-action", **header)[1]
    assert json.loads(action)["action"] == "hibernate"
    assert control("fail", fault="off") == 200
    assert call(f"{ec2.url}/latest/meta-data/spot/instance-action", **header)[0] == 403
    assert control("fail", fault=None) == 200
    assert control("clear") == 200
    assert control("interrupt", nonsense=1) == 400
    assert control("fail", fault="nonsense") == 400
    assert control("nonsense") == 404
    assert json.loads(call(f"{ec2.url}/_control/state")[1]) == {"requests": 3}


@pytest.mark.parametrize("provider", ["ec2", "gce", "azure"])
def test_each_runs_as_a_process(provider: str) -> None:
    command = [sys.executable, "-m", "airflow_interruptible.testing.metadata", provider]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        announced = json.loads(process.stdout.readline())
        assert announced["provider"] == provider
        assert any(announced["url"].endswith(value.removeprefix("http://")) for value in announced["env"].values())
        assert call(f"{announced['url']}/_control/interrupt", "POST")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
