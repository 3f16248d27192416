# SPDX-License-Identifier: Apache-2.0
"""Microsoft Azure: Scheduled Events that name this virtual machine.

Decides what Azure's answers mean. Must not know threads or Airflow. The surprising facts: events are delivered to every
VM of an availability or scale set, so most are about others; and asking has an effect. The first request switches
Scheduled Events on for the VM and takes up to two minutes; from then on a restart by a person waits for an approval, or
up to 15 minutes. So only Spot VMs are asked.

Freeze, Reboot and Redeploy are not read: this machine comes back, and SIGTERM or its silence tells what happened.

* events: https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events
* name, priority, location, zone and size of the VM:
  https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_interruptible.notices.http import READ_SECONDS, MetadataClient
from airflow_interruptible.notices.notice import Notice, NoticeKind, parse_time, utc_now
from airflow_interruptible.notices.source import names, poll

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping
    from datetime import datetime

ENDPOINT = "http://169.254.169.254"

ENDPOINT_VARIABLE = "AIRFLOW_INTERRUPTIBLE_AZURE_METADATA_ENDPOINT"
"""Ours: Azure documents none."""

INTERVAL_SECONDS = 5.0
"""Azure recommends one request a second for the VM, and rejects more than five; the tasks of a VM share that. A Spot
eviction is announced at least 30 s ahead, of which this costs 5 at most."""

FIRST_ANSWER_SECONDS = 125.0
"""Documented: "a delayed response in your first call of up to two minutes"."""

_COMPUTE_PATH = "/metadata/instance/compute?api-version=2021-02-01"
_EVENTS_PATH = "/metadata/scheduledevents?api-version=2020-07-01"
_HEADERS = {"Metadata": "true"}
_KINDS = {"Preempt": NoticeKind.PREEMPT, "Terminate": NoticeKind.TERMINATE}
_SPOT_PRIORITIES = ("Spot", "Low")
"""``Low`` is the older name, still met on scale sets."""


class AzureSource:
    """The eviction of this Azure Spot VM. ``interval`` is in seconds."""

    provider = "azure"

    def __init__(self, endpoint: str = ENDPOINT, *, interval: float = INTERVAL_SECONDS) -> None:
        self._client = MetadataClient(endpoint)
        self._interval = interval
        self._vm_name = ""
        self._compute: dict[str, object] = {}
        self._timeout = FIRST_ANSWER_SECONDS

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> AzureSource:
        """Read :data:`ENDPOINT_VARIABLE`."""
        return cls(environ.get(ENDPOINT_VARIABLE) or ENDPOINT)

    def probe(self) -> bool:
        """Whether this is a Spot VM with a name. May raise NoAnswer."""
        compute = self._client.request("GET", _COMPUTE_PATH, _HEADERS).expect(HTTPStatus.OK).json()
        self._compute = compute if isinstance(compute, dict) else {}
        if self._compute.get("priority") not in _SPOT_PRIORITIES:
            return False
        self._vm_name = str(self._compute.get("name") or "")
        return bool(self._vm_name)

    def place(self) -> dict[str, str]:
        """Return region, zone and size, which :meth:`probe` has read already.

        The zone of a region is a number only; written with the region, as AKS labels its nodes
        (https://learn.microsoft.com/azure/aks/availability-zones).
        """
        region, zone = self._compute.get("location"), self._compute.get("zone")
        place = {"region": region, "instance_type": self._compute.get("vmSize")}
        return names({**place, "zone": f"{region}-{zone}"} if region and zone else place)

    def wait(self, stop: threading.Event) -> Notice | None:
        """Return the eviction notice; None once ``stop`` is set."""
        return poll(self._check, stop, self._interval)

    def cancel(self) -> None:
        """Cut the request in flight and begin no other."""
        self._client.cancel()

    def _check(self) -> Notice | None:
        reply = self._client.request("GET", _EVENTS_PATH, _HEADERS, self._timeout).expect(HTTPStatus.OK)
        self._timeout = READ_SECONDS
        return read_events(reply.json(), self._vm_name, utc_now())


def read_events(document: object, vm_name: str, now: datetime) -> Notice | None:
    """Return the first event of the document that ends the VM ``vm_name``; None when there is none."""
    for event in _events_naming(vm_name, document):
        kind = _KINDS.get(str(event.get("EventType")))
        if kind is not None:
            started = event.get("EventStatus") == "Started"
            # NotBefore is blank once the event has started: no time is left.
            deadline = parse_time(event.get("NotBefore")) or (now if started else None)
            detail = {key: value for key, value in event.items() if isinstance(value, str)}
            return Notice("azure", kind, deadline, now, detail)
    return None


def _events_naming(vm_name: str, document: object) -> Iterator[dict[str, object]]:
    events = document.get("Events") if isinstance(document, dict) else None
    for event in events if isinstance(events, list) else ():
        resources = event.get("Resources") if isinstance(event, dict) else None
        names = resources if isinstance(resources, list) else ()
        # Azure resource names ignore case, and the two services need not agree on it.
        if vm_name.casefold() in (str(name).casefold() for name in names):
            yield event
