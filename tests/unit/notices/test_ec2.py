# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

from airflow_interruptible.notices import NoticeKind
from airflow_interruptible.notices import ec2 as ec2_module
from airflow_interruptible.notices.ec2 import IPV6_ENDPOINT, Ec2Source, read_action
from airflow_interruptible.notices.http import Failure, MetadataClient, NoAnswer
from airflow_interruptible.testing.metadata import FakeEC2Metadata, Fault

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

ACTION = "spot/instance-action"
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def fake() -> Iterator[FakeEC2Metadata]:
    with FakeEC2Metadata() as ec2:
        yield ec2


def source(fake: FakeEC2Metadata, **kwargs: object) -> Ec2Source:
    return Ec2Source(fake.url, **{"interval": 0.02, **kwargs})  # type: ignore[arg-type]


def test_a_spot_instance_can_be_reclaimed_and_an_on_demand_one_cannot(fake: FakeEC2Metadata) -> None:
    assert source(fake).probe() is True
    with FakeEC2Metadata(spot=False) as on_demand:
        assert source(on_demand).probe() is False


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate"])
def test_404_then_a_notice_with_the_deadline_aws_gave(fake: FakeEC2Metadata, watch, action: str) -> None:
    returned = watch(source(fake))
    until(lambda: fake.count(ACTION) >= 3)
    assert returned == []
    before = datetime.now(timezone.utc)
    fake.interrupt(action, in_seconds=120)
    until(lambda: returned)
    (notice,) = returned
    assert (notice.provider, notice.kind, notice.detail["action"]) == ("ec2", NoticeKind(action), action)
    assert abs(notice.deadline - before - timedelta(seconds=120)) < timedelta(seconds=2)
    assert before <= notice.detected <= datetime.now(timezone.utc)


def test_one_token_serves_many_polls(fake: FakeEC2Metadata, watch) -> None:
    watch(source(fake))
    until(lambda: fake.count(ACTION) >= 10)
    assert fake.count(method="PUT") == 1


def test_a_token_is_renewed_before_it_expires(fake: FakeEC2Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(ec2_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    ec2 = source(fake, token_ttl=100)
    for later, puts in ((0, 1), (89, 1), (2, 2), (89, 2), (2, 3)):
        clock[0] += later
        assert ec2.probe()
        assert fake.count(method="PUT") == puts
    assert fake.requests[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "100"
    assert fake.count(method="GET") == 5, "a token was refused"


def test_a_token_refused_too_early_is_renewed_at_once(fake: FakeEC2Metadata, stop: threading.Event) -> None:
    ec2 = source(fake)
    assert ec2.probe()
    fake.expire_tokens()
    fake.interrupt()
    assert ec2.wait(stop) is not None
    assert fake.count(method="PUT") == 2


def test_tokens_always_refused_do_not_make_a_storm(fake: FakeEC2Metadata, watch) -> None:
    returned = watch(source(fake, interval=0.1))
    until(lambda: fake.count(ACTION) >= 1)
    fake.fail(Fault.TOKEN_REJECTED)
    seen = len(fake.requests)
    time.sleep(1.0)  # a rate needs a stretch of time
    # Each poll is at most GET, PUT, GET; after two failures polls are 0.4 s apart.
    assert len(fake.requests) - seen <= 3 * 5
    fake.fail(None)
    fake.interrupt()
    until(lambda: returned)


def test_metadata_switched_off_is_refused_at_once(fake: FakeEC2Metadata) -> None:
    fake.fail(Fault.OFF)
    with pytest.raises(NoAnswer) as caught:
        source(fake).probe()
    assert caught.value.failure is Failure.REFUSED


def test_a_token_that_did_not_arrive_is_asked_for_again(fake: FakeEC2Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine stalled for a moment; without a token the service says 401, which is no refusal then."""
    source = Ec2Source(fake.url)
    with monkeypatch.context() as stall:
        stall.setattr(source, "_new_token", lambda: _raise(NoAnswer("PUT /token", Failure.SILENT)))
        with pytest.raises(NoAnswer) as silent:
            source.probe()
    assert silent.value.failure is Failure.SILENT
    assert source.probe()


def _raise(error: Exception) -> None:
    raise error


def test_behind_a_hop_limit_of_1_it_ends_quickly_and_says_why(
    fake: FakeEC2Metadata, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.fail(Fault.TOKEN_HANGS)
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        source(fake).probe()
    assert time.monotonic() - began < 30
    assert "http_put_response_hop_limit" in caplog.text
    assert {r.levelno for r in caplog.records} == {logging.DEBUG}


def test_behind_a_hop_limit_of_1_version_1_is_used_where_it_is_allowed(watch) -> None:
    with FakeEC2Metadata(require_token=False) as lenient:
        lenient.fail(Fault.TOKEN_HANGS)
        ec2 = source(lenient)
        assert ec2.probe() is True
        returned = watch(ec2)
        until(lambda: lenient.count(ACTION) >= 5)
        assert lenient.count(method="PUT") == 1
        lenient.interrupt()
        until(lambda: returned)
        with pytest.raises(NoAnswer):
            source(lenient, allow_v1=False).probe()


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.THROTTLED, Fault.GARBLED, Fault.OFF, Fault.SLOW])
def test_a_notice_is_found_after_the_service_has_ailed(fake: FakeEC2Metadata, watch, fault: Fault) -> None:
    returned = watch(source(fake))
    until(lambda: fake.count(ACTION) >= 1)
    fake.fail(fault)
    seen = len(fake.requests)
    until(lambda: len(fake.requests) >= seen + 2)
    assert returned == []
    fake.fail(None)
    fake.interrupt()
    until(lambda: returned)


def test_a_rebalance_recommendation_is_no_notice(fake: FakeEC2Metadata, watch) -> None:
    fake.recommend_rebalance()
    returned = watch(source(fake))
    until(lambda: fake.count(ACTION) >= 5)
    assert returned == []


def test_the_request_rate_is_the_interval(fake: FakeEC2Metadata, watch) -> None:
    watch(source(fake, interval=0.1))
    time.sleep(1.0)  # a rate needs a stretch of time
    assert 5 <= fake.count(ACTION) <= 13


def test_the_default_is_twelve_requests_a_minute() -> None:
    assert ec2_module.INTERVAL_SECONDS == 5.0


def test_the_token_is_in_no_log_and_no_repr(fake: FakeEC2Metadata, watch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ec2 = source(fake)
    assert ec2.probe()
    returned = watch(ec2)
    for fault in (Fault.TOKEN_REJECTED, Fault.OFF, Fault.ERROR, Fault.GARBLED):
        fake.fail(fault)
        seen = len(fake.requests)
        until(lambda seen=seen: len(fake.requests) >= seen + 2)
    fake.fail(None)
    fake.interrupt()
    until(lambda: returned)
    assert fake.tokens
    assert caplog.records
    text = caplog.text + repr(vars(ec2)) + repr(returned)
    assert not [token for token in fake.tokens if token in text]


def test_a_token_that_could_break_a_header_is_not_sent(monkeypatch: pytest.MonkeyPatch, fake: FakeEC2Metadata) -> None:
    from airflow_interruptible.testing.metadata_server import Answer

    monkeypatch.setattr(fake, "answer", lambda request: Answer(200, "sEcReT\r\nX: y"))
    with pytest.raises(NoAnswer) as caught:
        source(fake).probe()
    assert caught.value.failure is Failure.GARBLED
    assert "sEcReT" not in str(caught.value)


def test_no_proxy(fake: FakeEC2Metadata, stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeEC2Metadata() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        fake.interrupt()
        ec2 = source(fake)
        assert ec2.probe()
        assert ec2.wait(stop) is not None
        assert proxy.requests == []


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "terminate",
        {},
        {"action": None},
        {"action": "noop", "time": "2026-01-02T12:02:00Z"},
        {"time": "2026-01-02T12:02:00Z"},
        {"action": ["terminate"]},
        {"action": "terminate", "time": "2026-01-02T11:00:00Z"},
    ],
)
def test_what_does_not_say_that_the_machine_goes_is_no_notice(document: object) -> None:
    assert read_action(document, NOW) is None


@pytest.mark.parametrize("when", [None, "", "soon", 5])
def test_an_action_without_a_usable_time_is_a_notice_without_deadline(when: object) -> None:
    notice = read_action({"action": "hibernate", "time": when}, NOW)
    assert notice is not None
    assert notice.deadline is None


def test_a_time_without_zone_is_utc() -> None:
    notice = read_action({"action": "stop", "time": "2026-01-02T12:02:00"}, NOW)
    assert notice is not None
    assert notice.seconds_left(NOW) == 120.0


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["action", "time", "x"]), inner, max_size=3)
    ),
)


@given(JSON)
def test_no_document_raises(document: object) -> None:
    read_action(document, NOW)


def endpoint(ec2: Ec2Source | None) -> str:
    assert ec2 is not None
    client: MetadataClient = ec2._client
    return f"{client._host}:{client._port}"


def test_the_environment_of_the_aws_sdks_is_honoured() -> None:
    assert endpoint(Ec2Source.from_env({})) == "169.254.169.254:80"
    assert endpoint(Ec2Source.from_env({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"})) == "fd00:ec2::254:80"
    both = {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://h:1/"}
    assert endpoint(Ec2Source.from_env(both)) == "h:1"
    assert Ec2Source.from_env({"AWS_EC2_METADATA_DISABLED": "TRUE"}) is None
    assert endpoint(Ec2Source.from_env({"AWS_EC2_METADATA_DISABLED": "false"})) == "169.254.169.254:80"
    assert IPV6_ENDPOINT == "http://[fd00:ec2::254]"


def test_version_1_can_be_forbidden_by_the_environment() -> None:
    with FakeEC2Metadata(require_token=False) as lenient:
        lenient.fail(Fault.TOKEN_HANGS)
        ec2 = Ec2Source.from_env({**lenient.env, "AWS_EC2_METADATA_V1_DISABLED": "true"})
        assert ec2 is not None
        with pytest.raises(NoAnswer):
            ec2.probe()
        assert lenient.count(method="GET") == 0


# -- which machine it is


def test_zone_and_type_cost_one_request_each_and_no_token_more(fake: FakeEC2Metadata) -> None:
    ec2 = source(fake)
    ec2.probe()
    before = len(fake.requests)
    assert ec2.place() == {"zone": "eu-central-1a", "instance_type": "m7g.xlarge"}
    assert [request.method for request in fake.requests[before:]] == ["GET", "GET"]


@pytest.mark.parametrize("body", ["", "<html>", "a b", "x" * 200])
def test_what_is_no_name_is_left_out(fake: FakeEC2Metadata, body: str) -> None:
    fake._items["instance-type"] = body
    assert source(fake).place() == {"zone": "eu-central-1a"}


def test_an_item_that_is_not_there_is_left_out(fake: FakeEC2Metadata) -> None:
    del fake._items["placement/availability-zone"]
    assert source(fake).place() == {"instance_type": "m7g.xlarge"}


def test_a_service_that_ails_tells_no_place(fake: FakeEC2Metadata) -> None:
    ec2 = source(fake)
    ec2.probe()
    fake.fail(Fault.THROTTLED)
    with pytest.raises(NoAnswer):
        ec2.place()
