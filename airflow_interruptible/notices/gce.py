# SPDX-License-Identifier: Apache-2.0
"""Google Compute Engine: the ``instance/preempted`` value of the metadata server, by long poll.

Decides what Google's answers mean. Must not know threads or Airflow. The surprising fact: the server never says when
the machine goes. By default the shutdown begins with the notice and lasts at most 30 s; a Spot VM may have been made
with 120 s between the two (``preemptionNoticeDuration``), which its metadata does not show.

* preemption: https://docs.cloud.google.com/compute/docs/instances/spot#preemption-process
* detecting it: https://docs.cloud.google.com/compute/docs/instances/create-use-spot
* ``wait_for_change``, ``last_etag``, ``timeout_sec``: https://docs.cloud.google.com/compute/docs/metadata/querying-metadata
* keys: https://docs.cloud.google.com/compute/docs/metadata/predefined-metadata-keys
* environment variables: https://googleapis.dev/python/google-auth/latest/reference/google.auth.environment_vars.html
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_interruptible.notices.http import READ_SECONDS, MetadataClient, Reply
from airflow_interruptible.notices.notice import Notice, NoticeKind, utc_now
from airflow_interruptible.notices.source import names, poll

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

HOST = "169.254.169.254"
"""Documented beside ``metadata.google.internal``. The name would cost a DNS look-up that cannot be cut short."""

NOTICE_SECONDS = 30.0
"""From ``preempted`` to the end, as documented for Spot and preemptible VMs: "up to 30 seconds"."""

LONG_POLL_SECONDS = 60
"""How long the server may hold a request: one request a minute. Google's own guest agent uses the same."""

LONG_POLL_GRACE_SECONDS = 10.0
"""How long we wait beyond that before we take the request for lost."""

PAUSE_SECONDS = 1.0
"""Between two long polls, so that a server that does not hold requests is not hammered. ``last_etag`` loses nothing."""

_ROOT = "/computeMetadata/v1/instance/"
_HEADERS = {"Metadata-Flavor": "Google"}
_PLACE_KEYS = {"zone": "zone", "instance_type": "machine-type"}


class GceSource:
    """The preemption of this Compute Engine VM.

    ``notice`` is the seconds from detection to the deadline: raise it to 120 only where every Spot VM is made with that
    notice. ``long_poll`` and ``pause`` are seconds.
    """

    provider = "gce"

    def __init__(
        self,
        host: str = HOST,
        *,
        notice: float = NOTICE_SECONDS,
        long_poll: int = LONG_POLL_SECONDS,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._client = MetadataClient(f"http://{host}")
        self._notice = timedelta(seconds=notice)
        self._long_poll = long_poll
        self._pause = pause
        self._etag: str | None = None
        self._seen = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> GceSource | None:
        """Read the variables of google-auth; None when they switch the service off."""
        if environ.get("NO_GCE_CHECK") == "true":
            return None
        return cls(environ.get("GCE_METADATA_HOST") or environ.get("GCE_METADATA_IP") or HOST)

    def probe(self) -> bool:
        """Whether this is a Spot or preemptible VM. May raise NoAnswer."""
        preemptible = self._get("scheduling/preemptible")
        model = self._get("scheduling/provisioning-model")
        if preemptible.status == model.status == HTTPStatus.NOT_FOUND:
            # GKE's metadata server hides both from pods; it may still serve the value itself.
            return self._get("preempted").body.strip() in ("TRUE", "FALSE")
        return preemptible.body.strip() == "TRUE" or model.body.strip() == "SPOT"

    def place(self) -> dict[str, str]:
        """Return the zone and the machine type. May raise NoAnswer.

        Both are said as paths: ``projects/123/zones/europe-west3-a``, ``projects/123/machineTypes/n2-standard-4``.
        """
        return names({key: self._item(item).rpartition("/")[2] for key, item in _PLACE_KEYS.items()})

    def wait(self, stop: threading.Event) -> Notice | None:
        """Return the preemption notice; None once ``stop`` is set."""
        return poll(self._check, stop, self._pause)

    def cancel(self) -> None:
        """Cut the request in flight and begin no other."""
        self._client.cancel()

    def _item(self, key: str) -> str:
        reply = self._get(key)
        return reply.body.strip() if reply.status == HTTPStatus.OK else ""

    def _check(self) -> Notice | None:
        """Ask once at once, since the value may be TRUE already; after that wait for a change."""
        reply = self._get("preempted", self._wait_query() if self._seen else "").expect(HTTPStatus.OK)
        self._seen, self._etag = True, reply.headers.get("etag")
        if reply.body.strip() != "TRUE":
            return None
        now = utc_now()
        return Notice("gce", NoticeKind.PREEMPT, now + self._notice, now, {"instance/preempted": "TRUE"})

    def _wait_query(self) -> str:
        last = f"&last_etag={quote(self._etag, safe='')}" if self._etag else ""
        return f"?wait_for_change=true&timeout_sec={self._long_poll}{last}"

    def _get(self, key: str, query: str = "") -> Reply:
        timeout = self._long_poll + LONG_POLL_GRACE_SECONDS if query else READ_SECONDS
        return self._client.request("GET", f"{_ROOT}{key}{query}", _HEADERS, timeout).expect(
            HTTPStatus.OK, HTTPStatus.NOT_FOUND
        )
