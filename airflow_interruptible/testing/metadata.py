# SPDX-License-Identifier: Apache-2.0
"""Fake metadata services of EC2, GCE and Azure: interrupt a machine that is not there.

Decides what each vendor answers, as its documentation has it. Must not know our own client: a fake that was written to
please it would prove nothing. The surprising fact: a GCE long poll without ``last_etag`` waits even if the value has
changed already, so a client that asks like that can miss the one change that matters.

    with FakeEC2Metadata() as ec2:
        subprocess.Popen(worker, env={**os.environ, **ec2.env})
        ec2.interrupt(in_seconds=120)

As a process, for tests on a real stack: ``python -m airflow_interruptible.testing.metadata ec2 --port 8111``. It prints
one JSON line with its URL and environment, and obeys
``curl -d '{"in_seconds": 120}' http://127.0.0.1:8111/_control/interrupt`` (also ``clear`` and ``fail``).

Sources: see :mod:`airflow_interruptible.notices.ec2`, :mod:`~airflow_interruptible.notices.gce`,
:mod:`~airflow_interruptible.notices.azure`.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

from airflow_interruptible.testing.metadata_server import HANG_SECONDS, NOT_FOUND, Answer, FakeMetadata, Fault, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FakeAzureMetadata", "FakeEC2Metadata", "FakeGCEMetadata", "Fault"]

_BAD_REQUEST = Answer(400, "Bad Request")
_UNAUTHORIZED = Answer(401, "Unauthorized")
_FORBIDDEN = Answer(403, "Forbidden")


class FakeEC2Metadata(FakeMetadata):
    """EC2's IMDSv2, with tokens that really expire. ``require_token=False`` also lets IMDSv1 in."""

    faults = FakeMetadata.faults | {Fault.TOKEN_HANGS, Fault.TOKEN_REJECTED}

    def __init__(
        self,
        *,
        spot: bool = True,
        require_token: bool = True,
        instance_id: str = "i-0fa4e0000000000ed",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(host=host, port=port)
        self._require_token = require_token
        self._tokens: dict[str, float] = {}
        self._items = {
            "instance-id": instance_id,
            "instance-life-cycle": "spot" if spot else "on-demand",
            "instance-type": "m7g.xlarge",
            "placement/availability-zone": "eu-central-1a",
        }
        self._notices: dict[str, str] = {}

    @property
    def env(self) -> dict[str, str]:
        """What the AWS SDKs read, too."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url}

    def interrupt(self, action: str = "terminate", in_seconds: float = 120.0) -> None:
        """Announce ``terminate``, ``stop`` or ``hibernate``, at a time that many seconds ahead."""
        when = (_now() + timedelta(seconds=in_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.set_action({"action": action, "time": when})

    def set_action(self, document: object) -> None:
        """Serve this document as ``spot/instance-action``."""
        self._notices = {"spot/instance-action": json.dumps(document)}

    def recommend_rebalance(self) -> None:
        """Announce a raised risk only, which is no interruption."""
        self._notices = {"events/recommendations/rebalance": json.dumps({"noticeTime": f"{_now():%Y-%m-%dT%H:%M:%SZ}"})}

    def expire_tokens(self) -> None:
        """Make every token given out so far invalid."""
        self._tokens.clear()

    def clear(self) -> None:
        """Take every announcement back."""
        self._notices = {}

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens that are known, to look for them where they must not be."""
        return frozenset(self._tokens)

    def answer(self, request: Request) -> Answer:
        """Answer as IMDSv2 does."""
        if request.method == "PUT":
            return self._new_token(request)
        if request.method != "GET" or "x-forwarded-for" in request.headers:
            return _FORBIDDEN
        if not self._lets_in(request.headers.get("x-aws-ec2-metadata-token")):
            return _UNAUTHORIZED
        items = self._items | self._notices
        body = items.get(request.path.removeprefix("/latest/meta-data/").rstrip("/"))
        return NOT_FOUND if body is None else Answer(200, body)

    def _new_token(self, request: Request) -> Answer:
        if self._fault is Fault.TOKEN_HANGS:
            self.closing.wait(HANG_SECONDS)
        ttl = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if request.path != "/latest/api/token" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:  # noqa: PLR2004
            return _BAD_REQUEST
        token = secrets.token_urlsafe(40)
        self._tokens[token] = time.monotonic() + int(ttl)
        return Answer(200, token, {"X-aws-ec2-metadata-token-ttl-seconds": ttl})

    def _lets_in(self, token: str | None) -> bool:
        if token is None:
            return not self._require_token
        return self._fault is not Fault.TOKEN_REJECTED and self._tokens.get(token, 0.0) > time.monotonic()


class FakeGCEMetadata(FakeMetadata):
    """Compute Engine's metadata server, with real long polls."""

    def __init__(self, *, spot: bool = True, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self._changed = threading.Condition()
        self._revision = 0
        self._items = {
            "id": "4520031799277581759",
            "machine-type": "projects/123456789/machineTypes/n2-standard-4",
            "zone": "projects/123456789/zones/europe-west3-a",
            "scheduling/preemptible": "TRUE" if spot else "FALSE",
            "scheduling/provisioning-model": "SPOT" if spot else "STANDARD",
            "preempted": "FALSE",
        }

    @property
    def env(self) -> dict[str, str]:
        """What google-auth reads, too."""
        return {"GCE_METADATA_HOST": self.authority, "GCE_METADATA_IP": self.authority}

    def interrupt(self) -> None:
        """Preempt the VM. Google tells no time, so none can be given."""
        self._set_preempted("TRUE")

    def clear(self) -> None:
        """Take the preemption back."""
        self._set_preempted("FALSE")

    def stop(self) -> None:
        """Stop serving and release every long poll."""
        self.closing.set()
        with self._changed:
            self._changed.notify_all()
        super().stop()

    def answer(self, request: Request) -> Answer:
        """Answer as the metadata server does."""
        if request.headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in request.headers:
            return _FORBIDDEN
        key = request.path.removeprefix("/computeMetadata/v1/instance/")
        if key not in self._items:
            return Answer(404, "Not Found", {"Metadata-Flavor": "Google"})
        with self._changed:
            if request.query.get("wait_for_change") == "true":
                self._wait_for_change(request.query)
            headers = {"Metadata-Flavor": "Google", "ETag": self._etag(), "Content-Type": "application/text"}
            return Answer(200, self._items[key], headers)

    def _wait_for_change(self, query: Mapping[str, str]) -> None:
        """Wait until the ETag is not the one the client knows, by default the present one; or for ``timeout_sec``."""
        known = query.get("last_etag") or self._etag()
        seconds = float(query["timeout_sec"]) if "timeout_sec" in query else None
        self._changed.wait_for(lambda: self.closing.is_set() or self._etag() != known, seconds)

    def _etag(self) -> str:
        return f"{self._revision:016x}"

    def _set_preempted(self, value: str) -> None:
        with self._changed:
            self._revision += self._items["preempted"] != value
            self._items["preempted"] = value
            self._changed.notify_all()


class FakeAzureMetadata(FakeMetadata):
    """Azure's instance metadata and Scheduled Events, for a VM called ``vm_name``."""

    def __init__(
        self, *, spot: bool = True, vm_name: str = "vmss-workers-spot_0", host: str = "127.0.0.1", port: int = 0
    ) -> None:
        super().__init__(host=host, port=port)
        self.vm_name = vm_name
        priority, policy = ("Spot", "Deallocate") if spot else ("Regular", "")
        self._compute = {
            "name": vm_name,
            "location": "westeurope",
            "zone": "1",
            "vmSize": "Standard_D4s_v5",
            "priority": priority,
            "evictionPolicy": policy,
        }
        self._events: list[object] = []
        self._incarnation = 1

    @property
    def env(self) -> dict[str, str]:
        """Our own variable: Azure documents none."""
        return {"AIRFLOW_INTERRUPTIBLE_AZURE_METADATA_ENDPOINT": self.url}

    def interrupt(
        self, action: str = "Preempt", in_seconds: float = 30.0, *, resource: str | None = None, started: bool = False
    ) -> None:
        """Announce an event of type ``action`` for this VM, or the one called ``resource``.

        A ``started`` event has no time.
        """
        when = format_datetime(_now() + timedelta(seconds=in_seconds), usegmt=True)
        event = {
            "EventId": secrets.token_hex(16),
            "EventType": action,
            "ResourceType": "VirtualMachine",
            "Resources": [resource or self.vm_name],
            "EventStatus": "Started" if started else "Scheduled",
            "NotBefore": "" if started else when,
            "Description": "",
            "EventSource": "Platform",
            "DurationInSeconds": -1,
        }
        self.set_events([*self._events, event])

    def set_events(self, events: list[object]) -> None:
        """Serve these as ``Events``."""
        self._events = events
        self._incarnation += 1

    def clear(self) -> None:
        """Take every event back."""
        self.set_events([])

    def answer(self, request: Request) -> Answer:
        """Answer as the Instance Metadata Service does."""
        if request.headers.get("metadata") != "true" or "api-version" not in request.query:
            return _BAD_REQUEST
        documents = {
            "/metadata/instance/compute": self._compute,
            "/metadata/scheduledevents": {"DocumentIncarnation": self._incarnation, "Events": self._events},
        }
        document = documents.get(request.path)
        return (
            NOT_FOUND if document is None else Answer(200, json.dumps(document), {"Content-Type": "application/json"})
        )


_FAKES: dict[str, type[FakeEC2Metadata | FakeGCEMetadata | FakeAzureMetadata]] = {
    "ec2": FakeEC2Metadata,
    "gce": FakeGCEMetadata,
    "azure": FakeAzureMetadata,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve one fake until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m airflow_interruptible.testing.metadata", description=__doc__)
    parser.add_argument("provider", choices=sorted(_FAKES))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: any free port, printed")
    parser.add_argument("--on-demand", action="store_true", help="a machine that cannot be reclaimed")
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with _FAKES[options.provider](spot=not options.on_demand, host=options.host, port=options.port) as fake:
        sys.stdout.write(json.dumps({"provider": options.provider, "url": fake.url, "env": fake.env}) + "\n")
        sys.stdout.flush()
        ended.wait()


def _now() -> datetime:
    return datetime.now(timezone.utc)


if __name__ == "__main__":
    main()
