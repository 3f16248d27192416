# SPDX-License-Identifier: Apache-2.0
"""Amazon EC2, as far as DescribeInstances with a filter of instance ids asks: machines that run, or were reclaimed.

It has an endpoint of its own, for its protocol is another one: a form in, XML out.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

from tests.loopback import LoopbackService

_RECLAIMED = (
    "<stateReason><code>Server.SpotInstanceTermination</code>"
    "<message>Server.SpotInstanceTermination: Spot instance termination</message></stateReason>"
)


@dataclass
class Ec2(LoopbackService):
    """The endpoint.

    :param instances: whether each runs still, by its id.
    :param asked: the ids of each call so far.
    """

    instances: dict[str, bool] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Answer forms with XML."""
        return _handler(self)

    def described(self, form: dict[str, str]) -> str:
        """Answer a call whose only filter is one of ids."""
        names = [value for name, value in form.items() if name.startswith("Filter.1.Value.")]
        self.asked.append(names)
        known = "".join(map(self._instance, filter(self.instances.__contains__, names)))
        for name in ("instancesSet", "item", "reservationSet", "DescribeInstancesResponse"):
            known = f"<{name}>{known}</{name}>"
        return known

    def _instance(self, name: str) -> str:
        runs = self.instances[name]
        state, why = ("running", "") if runs else ("terminated", _RECLAIMED)
        told = f"<instanceState><name>{state}</name></instanceState><instanceLifecycle>spot</instanceLifecycle>"
        return f"<item><instanceId>{name}</instanceId>{told}{why}</item>"


def _handler(ec2: Ec2) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            body = ec2.described(form).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
