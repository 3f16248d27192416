# SPDX-License-Identifier: Apache-2.0
"""One bounded HTTP request to a metadata service, which another thread can cut short.

Decides how long we wait, how much we read and how a failure is named. Must not know which cloud it talks to. The
surprising fact: ``urllib`` and ``requests`` obey HTTP_PROXY even for 169.254.169.254, which sends the metadata token to
the proxy. ``http.client`` knows neither proxies nor redirects, so neither can happen here. (Azure asks for it in
words: https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#proxies.)

No exception text or ``repr`` holds a header or a body: either may be a token.
"""

from __future__ import annotations

import io
import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 1.0
"""The service is on the host or on the link: what has not connected in a second is not there."""

READ_SECONDS = 1.0
"""For one answer, headers and body. Metadata services answer in milliseconds."""

MAX_BODY_BYTES = 64 * 1024
"""The largest document we ask for, Azure's scheduled events, is a few KiB."""


class Failure(Enum):
    """Why there is no usable answer."""

    UNREACHABLE = "nothing accepts connections there"
    SILENT = "connected, but no complete answer in time"
    BUSY = "the service is overloaded or failing (429, 5xx)"
    REFUSED = "the service does not serve this (another status)"
    GARBLED = "the answer cannot be read"


class NoAnswer(Exception):  # noqa: N818 - the name of the fact; it never leaves this package
    """The metadata service gave no usable answer; ``failure`` says why."""

    def __init__(self, request: str, failure: Failure) -> None:
        super().__init__(f"{request}: {failure.value}")
        self.failure = failure


@dataclass(frozen=True)
class Reply:
    """One answer. ``headers`` has lower-case names."""

    request: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)

    def expect(self, *statuses: int) -> Reply:
        """Return this reply if its status is one of ``statuses``; raise NoAnswer otherwise."""
        if self.status in statuses:
            return self
        busy = self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise NoAnswer(f"{self.request} answered {self.status}", Failure.BUSY if busy else Failure.REFUSED)

    def json(self) -> object:
        """Return the body as JSON; raise NoAnswer if it is not."""
        try:
            document: object = json.loads(self.body)
        except (ValueError, RecursionError):
            raise NoAnswer(self.request, Failure.GARBLED) from None
        return document


class MetadataClient:
    """Requests to one metadata service, e.g. ``http://169.254.169.254``, one at a time.

    Raises ValueError for a base URL that is not plain ``http://host[:port][/prefix]``.
    """

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a metadata endpoint must look like http://host[:port]: these services speak no TLS")
        self._host, self._port, self._prefix = parts.hostname, parts.port or 80, parts.path.rstrip("/")
        self._socket: socket.socket | None = None
        self._cancelled = False

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, timeout: float = READ_SECONDS
    ) -> Reply:
        """Send one request and return whatever is answered; ``timeout`` in seconds. Raises NoAnswer."""
        name = f"{method} {path.partition('?')[0]}"
        connection = HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            self._connect(connection, name)
            connection.sock.settimeout(timeout)
            deadline = time.monotonic() + timeout
            connection.request(method, self._prefix + path, headers=dict(headers or {}))
            source = cast("socket.socket", _Until(connection.sock, deadline))  # only its makefile() is called
            with HTTPResponse(source, method=method) as response:
                response.begin()
                body = _read_body(response)
            return Reply(name, response.status, {k.lower(): v for k, v in response.getheaders()}, body)
        except (OSError, HTTPException, ValueError):
            # "from None": http.client quotes header values and status lines in its errors.
            raise NoAnswer(name, Failure.SILENT) from None
        finally:
            self._socket = None
            connection.close()

    def cancel(self) -> None:
        """Cut the request in flight, if any, and let no other begin. Safe from any thread; never raises."""
        self._cancelled = True
        open_socket = self._socket
        if open_socket is not None:
            with suppress(OSError):
                # close() would not wake a thread that sits in recv(); this does.
                open_socket.shutdown(socket.SHUT_RDWR)

    def _connect(self, connection: HTTPConnection, name: str) -> None:
        try:
            connection.connect()
        except OSError:
            raise NoAnswer(name, Failure.UNREACHABLE) from None
        # Published before the check: a cancel() in between sees the socket, an earlier one is seen here.
        self._socket = connection.sock
        if self._cancelled:
            raise NoAnswer(name, Failure.UNREACHABLE)


class _Until(io.RawIOBase):
    """What arrives at a socket until a moment, for :class:`HTTPResponse` to read headers and body from.

    A socket's own time-out begins anew with every byte, so a server that drips them would never be given up.
    """

    def __init__(self, source: socket.socket, deadline: float) -> None:
        self._source, self._deadline = source, deadline

    def makefile(self, *_: object) -> io.BufferedReader:
        """Return what the response reads."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Wait for some bytes.

        :raises TimeoutError: the moment has come.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._source.settimeout(left)
        return self._source.recv_into(buffer)


def _read_body(response: HTTPResponse) -> str:
    """Read at most MAX_BODY_BYTES."""
    body = bytearray()
    while chunk := response.read1(MAX_BODY_BYTES):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException
    if response.length:  # read1() takes a cut connection for the end
        raise HTTPException
    return body.decode("utf-8", errors="replace")
