# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from waiting import until

from airflow_interruptible.notices import NoticeKind
from airflow_interruptible.notices.gce import LONG_POLL_SECONDS, GceSource
from airflow_interruptible.notices.http import Failure, NoAnswer
from airflow_interruptible.testing.metadata import FakeGCEMetadata, Fault
from airflow_interruptible.testing.metadata_server import NOT_FOUND, Answer, Request

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

PREEMPTED = "instance/preempted"


@pytest.fixture
def fake() -> Iterator[FakeGCEMetadata]:
    with FakeGCEMetadata() as gce:
        yield gce


def source(fake: FakeGCEMetadata, **kwargs: float) -> GceSource:
    return GceSource(fake.authority, **{"pause": 0.02, **kwargs})  # type: ignore[arg-type]


def test_a_spot_vm_can_be_reclaimed_and_a_standard_one_cannot(fake: FakeGCEMetadata) -> None:
    assert source(fake).probe() is True
    with FakeGCEMetadata(spot=False) as standard:
        assert source(standard).probe() is False


@pytest.mark.parametrize("key", ["scheduling/preemptible", "scheduling/provisioning-model"])
def test_either_key_is_enough(fake: FakeGCEMetadata, key: str) -> None:
    del fake._items[key]
    assert source(fake).probe() is True


def test_where_both_keys_are_hidden_the_value_itself_decides(fake: FakeGCEMetadata) -> None:
    del fake._items["scheduling/preemptible"], fake._items["scheduling/provisioning-model"]
    assert source(fake).probe() is True
    del fake._items["preempted"]
    assert source(fake).probe() is False


def test_a_server_that_says_200_to_everything_is_not_googles(
    monkeypatch: pytest.MonkeyPatch, fake: FakeGCEMetadata
) -> None:
    monkeypatch.setattr(fake, "answer", lambda request: Answer(200, "<html>TRUE</html>"))
    assert source(fake).probe() is False


def test_the_notice_comes_through_the_long_poll_with_30_seconds(fake: FakeGCEMetadata, watch) -> None:
    returned = watch(source(fake))
    until(lambda: fake.count(PREEMPTED) == 2)
    waiting = fake.requests[-1].query
    assert waiting == {"wait_for_change": "true", "timeout_sec": "60", "last_etag": "0" * 16}
    began = datetime.now(timezone.utc)
    fake.interrupt()
    until(lambda: returned, 1.0)
    (notice,) = returned
    assert (notice.provider, notice.kind) == ("gce", NoticeKind.PREEMPT)
    assert notice.deadline - notice.detected == timedelta(seconds=30)
    assert timedelta(0) <= notice.detected - began < timedelta(seconds=1)
    assert fake.count(PREEMPTED) == 2


def test_the_notice_time_can_be_the_120_seconds_of_the_vm(fake: FakeGCEMetadata, stop: threading.Event) -> None:
    fake.interrupt()
    notice = source(fake, notice=120).wait(stop)
    assert notice is not None
    assert notice.deadline is not None
    assert notice.deadline - notice.detected == timedelta(seconds=120)


def test_a_preemption_from_before_the_first_question_is_found(fake: FakeGCEMetadata, stop: threading.Event) -> None:
    fake.interrupt()
    assert source(fake).wait(stop) is not None
    assert fake.count(PREEMPTED) == 1


def test_a_preemption_between_two_polls_is_not_lost(fake: FakeGCEMetadata) -> None:
    gce = source(fake)
    assert gce._check() is None
    fake.interrupt()  # nobody waits at this moment
    began = time.monotonic()
    assert gce._check() is not None
    assert time.monotonic() - began < LONG_POLL_SECONDS / 2


def test_a_poll_that_times_out_asks_again(fake: FakeGCEMetadata, watch) -> None:
    returned = watch(source(fake, long_poll=1))
    until(lambda: fake.count(PREEMPTED) >= 3)
    assert returned == []
    fake.interrupt()
    until(lambda: returned)


def test_a_server_that_does_not_hold_requests_is_not_hammered(fake: FakeGCEMetadata, watch) -> None:
    fake._wait_for_change = lambda query: None  # type: ignore[method-assign]
    watch(source(fake, pause=0.1))
    time.sleep(1.0)  # a rate needs a stretch of time
    assert 5 <= fake.count(PREEMPTED) <= 13


def test_a_server_without_etag_works(fake: FakeGCEMetadata, watch, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = fake.answer

    def without_etag(request: Request) -> Answer:
        return Answer(200, answer(request).body)

    monkeypatch.setattr(fake, "answer", without_etag)
    returned = watch(source(fake))
    until(lambda: fake.count(PREEMPTED) == 2)
    assert "last_etag" not in fake.requests[-1].query
    fake.interrupt()
    until(lambda: returned)


def test_stop_and_cancel_end_a_long_poll_promptly(fake: FakeGCEMetadata, watch, stop: threading.Event) -> None:
    gce = source(fake)
    returned = watch(gce)
    until(lambda: fake.count(PREEMPTED) == 2)
    stop.set()
    gce.cancel()
    until(lambda: returned == [None], 1.0)


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.THROTTLED, Fault.OFF, Fault.GARBLED])
def test_a_notice_is_found_after_the_service_has_ailed(fake: FakeGCEMetadata, watch, fault: Fault) -> None:
    fake.fail(fault)
    returned = watch(source(fake, long_poll=1))
    until(lambda: len(fake.requests) >= 2)
    assert returned == []
    fake.fail(None)
    fake.interrupt()
    until(lambda: returned)


def test_another_service_at_the_address_is_refused(fake: FakeGCEMetadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "answer", lambda request: Answer(401))
    with pytest.raises(NoAnswer) as caught:
        source(fake).probe()
    assert caught.value.failure is Failure.REFUSED
    monkeypatch.setattr(fake, "answer", lambda request: NOT_FOUND)
    assert source(fake).probe() is False


def test_the_environment_of_google_auth_is_honoured() -> None:
    def host(environ: dict[str, str]) -> str:
        gce = GceSource.from_env(environ)
        assert gce is not None
        return f"{gce._client._host}:{gce._client._port}"

    assert host({}) == "169.254.169.254:80"
    assert host({"GCE_METADATA_IP": "10.0.0.1"}) == "10.0.0.1:80"
    assert host({"GCE_METADATA_IP": "10.0.0.1", "GCE_METADATA_HOST": "h:81"}) == "h:81"
    assert GceSource.from_env({"NO_GCE_CHECK": "true"}) is None


def test_zone_and_machine_type_are_the_last_parts_of_their_paths(fake: FakeGCEMetadata) -> None:
    assert source(fake).place() == {"zone": "europe-west3-a", "instance_type": "n2-standard-4"}


def test_what_gke_hides_is_left_out(fake: FakeGCEMetadata) -> None:
    del fake._items["machine-type"]
    assert source(fake).place() == {"zone": "europe-west3-a"}
