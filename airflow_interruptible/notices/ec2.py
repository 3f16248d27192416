# SPDX-License-Identifier: Apache-2.0
"""Amazon EC2: the Spot interruption notice in the instance metadata (IMDSv2).

Decides what EC2's answers mean. Must not know threads or Airflow. The surprising facts: 404 is the good answer ("no
notice"); and in a container on an instance whose PUT response hop limit is 1 the token never arrives, the PUT hangs.

A rebalance recommendation is not read: it tells of a risk, not of an end.

* the notice: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
* tokens and status codes: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
* hop limit: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html
* zone and instance type: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
* environment variables: https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_interruptible.notices.http import Failure, MetadataClient, NoAnswer, Reply
from airflow_interruptible.notices.notice import Notice, NoticeKind, parse_time, utc_now
from airflow_interruptible.notices.source import names, poll

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from datetime import datetime

log = logging.getLogger(__name__)

IPV4_ENDPOINT = "http://169.254.169.254"
IPV6_ENDPOINT = "http://[fd00:ec2::254]"

INTERVAL_SECONDS = 5.0
"""What AWS recommends; the notice comes two minutes ahead."""

TOKEN_TTL_SECONDS = 21600
"""The longest that AWS allows (six hours), so that a task costs one PUT."""

TOKEN_WAIT_SECONDS = 1.0
"""A PUT that takes longer has been stopped by the hop limit; the AWS SDKs wait as long."""

STALE_AFTER = timedelta(minutes=5)
"""A notice whose time passed this long ago was not carried out: a machine that is gone cannot read it."""

_TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
_LIFE_CYCLE_PATH = "/latest/meta-data/instance-life-cycle"
_ACTION_PATH = "/latest/meta-data/spot/instance-action"
_PLACE_PATHS = {
    "zone": "/latest/meta-data/placement/availability-zone",
    "instance_type": "/latest/meta-data/instance-type",
}
_TOKEN_SHAPE = re.compile(r"[\x21-\x7e]{1,4096}")
_KINDS = {"terminate": NoticeKind.TERMINATE, "stop": NoticeKind.STOP, "hibernate": NoticeKind.HIBERNATE}


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float


class Ec2Source:
    """The Spot interruption notice of this EC2 instance.

    ``interval`` and ``token_ttl`` are seconds. With ``allow_v1``, an instance that lets no token through is asked
    without one, as the AWS SDKs do: nothing secret is read here, and the notice is worth having.
    """

    provider = "ec2"

    def __init__(
        self,
        endpoint: str = IPV4_ENDPOINT,
        *,
        interval: float = INTERVAL_SECONDS,
        token_ttl: int = TOKEN_TTL_SECONDS,
        allow_v1: bool = True,
    ) -> None:
        self._client = MetadataClient(endpoint)
        self._interval = interval
        self._token_ttl = token_ttl
        self._allow_v1 = allow_v1
        self._token: _Token | None = None
        self._tokenless = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Ec2Source | None:
        """Read the variables of the AWS SDKs; None when they switch the service off."""
        if _is_true(environ.get("AWS_EC2_METADATA_DISABLED")):
            return None
        ipv6 = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "").lower() == "ipv6"
        endpoint = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or (IPV6_ENDPOINT if ipv6 else IPV4_ENDPOINT)
        return cls(endpoint, allow_v1=not _is_true(environ.get("AWS_EC2_METADATA_V1_DISABLED")))

    def probe(self) -> bool:
        """Whether this is a Spot instance whose metadata we may read. May raise NoAnswer.

        A token that did not arrive may do so next time, so an answer that asks for one counts as silence.
        """
        reply = self._get(_LIFE_CYCLE_PATH)
        if reply.status == HTTPStatus.UNAUTHORIZED:  # asked without a token, and one is required
            log.debug("EC2 metadata: no token arrives here; is http_put_response_hop_limit 1? Containers need 2.")
            raise NoAnswer(reply.request, Failure.SILENT)
        # The item is from 2019: an older service (404) cannot say, so it is watched.
        known = reply.expect(HTTPStatus.OK, HTTPStatus.NOT_FOUND).status == HTTPStatus.OK
        return reply.body.strip() == "spot" if known else True

    def place(self) -> dict[str, str]:
        """Return the availability zone and the instance type. May raise NoAnswer."""
        return names({key: self._item(path) for key, path in _PLACE_PATHS.items()})

    def wait(self, stop: threading.Event) -> Notice | None:
        """Return the interruption notice; None once ``stop`` is set."""
        return poll(self._check, stop, self._interval)

    def cancel(self) -> None:
        """Cut the request in flight and begin no other."""
        self._client.cancel()

    def _item(self, path: str) -> str:
        reply = self._get(path).expect(HTTPStatus.OK, HTTPStatus.NOT_FOUND)
        return reply.body.strip() if reply.status == HTTPStatus.OK else ""

    def _check(self) -> Notice | None:
        reply = self._get(_ACTION_PATH).expect(HTTPStatus.OK, HTTPStatus.NOT_FOUND)
        return read_action(reply.json(), utc_now()) if reply.status == HTTPStatus.OK else None

    def _get(self, path: str) -> Reply:
        token = self._valid_token()
        reply = self._client.request("GET", path, _headers(token))
        if reply.status != HTTPStatus.UNAUTHORIZED:
            return reply
        # AWS: "The recommended action is to generate a new token."
        self._token, self._tokenless = None, False
        return reply if token is None else self._client.request("GET", path, _headers(self._valid_token()))

    def _valid_token(self) -> _Token | None:
        """Return a token that is good for a while; None where no token arrives and none may be needed."""
        expired = self._token is None or time.monotonic() >= self._token.renew_at
        if expired and not self._tokenless:
            try:
                self._token = self._new_token()
            except NoAnswer as error:
                if error.failure is not Failure.SILENT or not self._allow_v1:
                    raise
                self._token, self._tokenless = None, True
        return self._token

    def _new_token(self) -> _Token:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(self._token_ttl)}
        # Taken before the request: the token's life begins at the service, not here.
        renew_at = time.monotonic() + 0.9 * self._token_ttl
        reply = self._client.request("PUT", _TOKEN_PATH, headers, TOKEN_WAIT_SECONDS).expect(HTTPStatus.OK)
        if not _TOKEN_SHAPE.fullmatch(reply.body):
            raise NoAnswer(reply.request, Failure.GARBLED)
        return _Token(reply.body, renew_at)


def read_action(document: object, now: datetime) -> Notice | None:
    """Read ``spot/instance-action``, e.g. ``{"action": "stop", "time": "2017-09-18T08:22:00Z"}``.

    None for an action that AWS does not document and for a time long past: neither says that this machine goes.
    """
    if not isinstance(document, dict):
        return None
    kind = _KINDS.get(str(document.get("action")))
    deadline = parse_time(document.get("time"))
    if kind is None or (deadline is not None and now - deadline > STALE_AFTER):
        return None
    detail = {key: str(document[key]) for key in ("action", "time") if key in document}
    return Notice("ec2", kind, deadline, now, detail)


def _headers(token: _Token | None) -> dict[str, str]:
    return {} if token is None else {"X-aws-ec2-metadata-token": token.value}


def _is_true(value: str | None) -> bool:
    return value is not None and value.strip().lower() == "true"
