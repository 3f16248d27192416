# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

from airflow_interruptible.notices import NoticeKind
from airflow_interruptible.notices.azure import ENDPOINT_VARIABLE, FIRST_ANSWER_SECONDS, AzureSource, read_events
from airflow_interruptible.notices.http import READ_SECONDS, Failure, NoAnswer
from airflow_interruptible.testing.metadata import FakeAzureMetadata, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = "scheduledevents"
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def fake() -> Iterator[FakeAzureMetadata]:
    with FakeAzureMetadata() as azure:
        yield azure


def probed(fake: FakeAzureMetadata) -> AzureSource:
    source = AzureSource(fake.url, interval=0.02)
    assert source.probe() is True
    return source


def test_a_regular_vm_is_never_asked_for_events_because_that_switches_them_on() -> None:
    with FakeAzureMetadata(spot=False) as regular:
        assert AzureSource(regular.url).probe() is False
        assert regular.count(EVENTS) == 0


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        ({"priority": "Low", "name": "vm"}, True),
        ({"priority": "Spot", "name": ""}, False),
        ({"priority": "Spot"}, False),
        ({"priority": ""}, False),
        ({}, False),
    ],
)
def test_priority_and_name_decide(fake: FakeAzureMetadata, compute: dict[str, str], expected: bool) -> None:
    fake._compute = compute
    assert AzureSource(fake.url).probe() is expected


def test_an_eviction_of_this_vm_has_not_before_as_its_deadline(fake: FakeAzureMetadata, watch) -> None:
    returned = watch(probed(fake))
    until(lambda: fake.count(EVENTS) >= 3)
    assert returned == []
    before = datetime.now(timezone.utc)
    fake.interrupt(in_seconds=30)
    until(lambda: returned)
    (notice,) = returned
    assert (notice.provider, notice.kind, notice.detail["EventType"]) == ("azure", NoticeKind.PREEMPT, "Preempt")
    assert abs(notice.deadline - before - timedelta(seconds=30)) < timedelta(seconds=2)
    assert notice.deadline.tzinfo is not None


def test_an_event_of_another_vm_is_nothing(fake: FakeAzureMetadata, watch) -> None:
    fake.interrupt(resource="vmss-workers-spot_1")
    returned = watch(probed(fake))
    until(lambda: fake.count(EVENTS) >= 5)
    assert returned == []
    fake.interrupt(resource=fake.vm_name.upper())
    until(lambda: returned)


@pytest.mark.parametrize("action", ["Freeze", "Reboot", "Redeploy", "SomethingNew"])
def test_events_after_which_the_vm_comes_back_are_nothing(fake: FakeAzureMetadata, watch, action: str) -> None:
    fake.interrupt(action)
    returned = watch(probed(fake))
    until(lambda: fake.count(EVENTS) >= 3)
    assert returned == []


def test_a_scale_set_deleting_this_vm_is_a_notice(fake: FakeAzureMetadata, watch) -> None:
    fake.interrupt("Terminate", in_seconds=300)
    returned = watch(probed(fake))
    until(lambda: returned)
    assert returned[0].kind is NoticeKind.TERMINATE


def test_an_event_that_has_started_leaves_no_time(fake: FakeAzureMetadata, watch) -> None:
    fake.interrupt(started=True)
    returned = watch(probed(fake))
    until(lambda: returned)
    assert returned[0].deadline == returned[0].detected
    assert returned[0].seconds_left() == 0.0


def test_the_first_answer_may_take_two_minutes_and_later_ones_may_not(fake: FakeAzureMetadata) -> None:
    source = probed(fake)
    assert source._timeout == FIRST_ANSWER_SECONDS > 120
    assert source._check() is None
    assert source._timeout == READ_SECONDS


def test_every_request_carries_the_header_and_a_version(fake: FakeAzureMetadata) -> None:
    probed(fake)._check()
    assert [(r.path, r.query["api-version"], r.headers["metadata"]) for r in fake.requests] == [
        ("/metadata/instance/compute", "2021-02-01", "true"),
        ("/metadata/scheduledevents", "2020-07-01", "true"),
    ]


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.THROTTLED, Fault.GARBLED, Fault.OFF])
def test_a_notice_is_found_after_the_service_has_ailed(fake: FakeAzureMetadata, watch, fault: Fault) -> None:
    source = probed(fake)
    fake.fail(fault)
    returned = watch(source)
    until(lambda: len(fake.requests) >= 3)
    assert returned == []
    fake.fail(None)
    fake.interrupt()
    until(lambda: returned)


def test_another_service_at_the_address_is_refused(fake: FakeAzureMetadata) -> None:
    fake.fail(Fault.OFF)
    with pytest.raises(NoAnswer) as caught:
        AzureSource(fake.url).probe()
    assert caught.value.failure is Failure.REFUSED


def event(**fields: object) -> dict[str, object]:
    return {"EventType": "Preempt", "Resources": ["vm"], "EventStatus": "Scheduled", **fields}


@pytest.mark.parametrize("when", ["Fri, 02 Jan 2026 12:00:30 GMT", "2026-01-02T12:00:30Z", "2026-01-02T12:00:30"])
def test_every_form_of_not_before(when: str) -> None:
    notice = read_events({"Events": [event(NotBefore=when)]}, "vm", NOW)
    assert notice is not None
    assert notice.seconds_left(NOW) == 30.0


@pytest.mark.parametrize("when", [None, "", "x", 7])
def test_without_a_usable_time_there_is_no_deadline(when: object) -> None:
    notice = read_events({"Events": [event(NotBefore=when)]}, "vm", NOW)
    assert notice is not None
    assert notice.deadline is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"Events": None},
        {"Events": {}},
        {"Events": [None, 1, "Preempt", []]},
        {"Events": [{"EventType": "Preempt"}]},
        {"Events": [event(Resources=None)]},
        {"Events": [event(Resources="vm")]},
        {"Events": [event(Resources=[])]},
        {"Events": [event(Resources=["vm2", None, 3])]},
        {"Events": [event(EventType=["Preempt"])]},
    ],
)
def test_what_does_not_name_this_vm_is_no_notice(document: object) -> None:
    assert read_events(document, "vm", NOW) is None


KEYS = st.sampled_from(["Events", "EventType", "Resources", "NotBefore", "EventStatus"])
JSON = st.recursive(
    st.none() | st.floats() | st.text(max_size=10) | st.sampled_from(["vm", "Preempt", "Started"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
)


@given(JSON, JSON)
def test_no_document_raises(document: object, events: object) -> None:
    read_events(document, "vm", NOW)
    read_events({"Events": events}, "vm", NOW)


def test_the_environment_points_to_the_endpoint() -> None:
    assert AzureSource.from_env({ENDPOINT_VARIABLE: "http://h:81"})._client._port == 81
    assert AzureSource.from_env({})._client._host == "169.254.169.254"


@pytest.mark.parametrize(
    ("compute", "place"),
    [
        ({}, {}),
        ({"location": "westeurope"}, {"region": "westeurope"}),
        ({"location": "westeurope", "zone": ""}, {"region": "westeurope"}),
        ({"location": "westeurope", "zone": "2"}, {"region": "westeurope", "zone": "westeurope-2"}),
        ({"zone": "2", "vmSize": "Standard_D2s_v5"}, {"instance_type": "Standard_D2s_v5"}),
        ({"location": ["westeurope"], "vmSize": 4}, {}),
    ],
)
def test_which_machine_this_is_costs_no_further_request(
    fake: FakeAzureMetadata, compute: dict[str, object], place: dict[str, str]
) -> None:
    fake._compute = {"name": "vm", "priority": "Spot", **compute}  # type: ignore[dict-item]
    source = probed(fake)
    before = len(fake.requests)
    assert source.place() == place
    assert len(fake.requests) == before
