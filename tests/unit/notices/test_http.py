# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from waiting import until

from airflow_interruptible.notices.http import MAX_BODY_BYTES, Failure, MetadataClient, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = b"HTTP/1.1 200 OK\r\n"


class RawServer:
    """Answers every connection with the given chunks, a pause between them, then closes."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.pause = 0.0
        self.received: list[bytes] = []
        self.done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.client = MetadataClient(f"http://127.0.0.1:{self.port}")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.received.append(connection.recv(65536))
                for chunk in self.chunks:
                    try:
                        connection.sendall(chunk)
                    except OSError:
                        break
                    self.done.wait(self.pause)

    def close(self) -> None:
        self.done.set()
        self._listener.close()


@pytest.fixture
def server() -> Iterator[RawServer]:
    raw = RawServer()
    yield raw
    raw.close()


def failure(client: MetadataClient, **kwargs: float) -> Failure:
    with pytest.raises(NoAnswer) as caught:
        client.request("GET", "/x", **kwargs)
    return caught.value.failure


def test_an_answer_is_read_whatever_its_status(server: RawServer) -> None:
    server.chunks = [b"HTTP/1.1 404 Not Found\r\nETag: 7\r\nContent-Length: 2\r\n\r\nno"]
    reply = server.client.request("GET", "/x")
    assert (reply.status, reply.body, reply.headers["etag"]) == (404, "no", "7")
    assert reply.expect(200, 404) is reply


def test_nothing_listening_is_unreachable(closed_port: int) -> None:
    assert failure(MetadataClient(f"http://127.0.0.1:{closed_port}")) is Failure.UNREACHABLE


def test_silence_ends_after_the_timeout(server: RawServer) -> None:
    server.chunks, server.pause = [b""], 30
    began = time.monotonic()
    assert failure(server.client, timeout=0.2) is Failure.SILENT
    assert time.monotonic() - began < 15


def test_a_dripping_body_does_not_outlast_the_timeout(server: RawServer) -> None:
    server.chunks, server.pause = [OK + b"Content-Length: 500\r\n\r\n", *[b"x"] * 500], 0.05
    began = time.monotonic()
    assert failure(server.client, timeout=0.3) is Failure.SILENT
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff rubbish\r\n\r\n",
        OK + b"Content-Length: 10\r\n\r\nshort",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"\r\n" + b"x" * (MAX_BODY_BYTES + 1),
        b"HTTP/1.1 200 " + b"x" * 70_000,
    ],
    ids=["closed", "not-http", "cut", "bad-chunk", "too-big", "long-line"],
)
def test_rubbish_is_no_answer(server: RawServer, answer: bytes) -> None:
    server.chunks = [answer]
    assert failure(server.client) is Failure.SILENT


@pytest.mark.parametrize("drip", [b"X-Drip: 1\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["headers", "continue"])
def test_dripped_headers_do_not_outlive_the_one_deadline(server: RawServer, drip: bytes) -> None:
    first = OK if drip.startswith(b"X") else b""
    server.chunks, server.pause = [first, *[drip] * 400], 0.05
    began = time.monotonic()
    assert failure(server.client, timeout=0.5) is Failure.SILENT
    assert time.monotonic() - began < 10, "all of it takes 20 s"


def test_a_redirect_is_not_followed(server: RawServer) -> None:
    server.chunks = [
        f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{server.port}/y\r\nContent-Length: 0\r\n\r\n".encode()
    ]
    with pytest.raises(NoAnswer) as caught:
        server.client.request("GET", "/x").expect(200)
    assert caught.value.failure is Failure.REFUSED
    assert len(server.received) == 1


def test_busy_and_refused_are_told_apart(server: RawServer) -> None:
    for status, expected in ((429, Failure.BUSY), (503, Failure.BUSY), (403, Failure.REFUSED)):
        server.chunks = [f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()]
        with pytest.raises(NoAnswer) as caught:
            server.client.request("GET", "/x").expect(200)
        assert caught.value.failure is expected


@pytest.mark.parametrize("body", ["", "{", "nan?", "[" * 60_000])
def test_what_is_not_json_is_garbled(server: RawServer, body: str) -> None:
    server.chunks = [OK + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()]
    reply = server.client.request("GET", "/x")
    with pytest.raises(NoAnswer) as caught:
        reply.json()
    assert caught.value.failure is Failure.GARBLED


def test_the_proxy_of_the_environment_is_never_used(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.request

    proxy = RawServer()
    proxy.chunks = [OK + b"Content-Length: 5\r\n\r\nproxy"]
    server.chunks = [OK + b"Content-Length: 6\r\n\r\ndirect"]
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    url = f"http://127.0.0.1:{server.port}/x"
    # The guard's guard: these variables do turn another client to the proxy.
    assert urllib.request.urlopen(url, timeout=5).read() == b"proxy"
    assert server.client.request("GET", "/x").body == "direct"
    assert (len(proxy.received), len(server.received)) == (1, 1)
    proxy.close()


def test_no_text_shows_a_header_or_a_body(server: RawServer) -> None:
    server.chunks = [b"HTTP/1.1 403 sEcReT\r\nX: sEcReT\r\nContent-Length: 6\r\n\r\nsEcReT"]
    reply = server.client.request("GET", "/x?q=sEcReT", {"token": "sEcReT"})
    with pytest.raises(NoAnswer) as refused:
        reply.expect(200)
    # http.client quotes a header value that it does not like.
    with pytest.raises(NoAnswer) as unsendable:
        server.client.request("GET", "/x", {"token": "sEcReT\r\nX: y"})
    assert "sEcReT" not in f"{reply!r} {refused.value!r} {unsendable.value!r}"
    assert unsendable.value.__suppress_context__


def test_cancel_wakes_a_request_in_flight(server: RawServer) -> None:
    server.chunks, server.pause = [b""], 30
    failures: list[Failure] = []
    thread = threading.Thread(target=lambda: failures.append(failure(server.client, timeout=30)))
    thread.start()
    until(lambda: server.received)
    server.client.cancel()
    thread.join(60)
    assert failures == [Failure.SILENT]


def test_after_cancel_no_request_begins(server: RawServer) -> None:
    server.client.cancel()
    assert failure(server.client) is Failure.UNREACHABLE
    assert [received for received in server.received if received] == []


@pytest.mark.parametrize(
    "url", ["", "169.254.169.254", "https://169.254.169.254", "http://", "http://x:port", "file:///etc"]
)
def test_an_endpoint_must_be_plain_http(url: str) -> None:
    with pytest.raises(ValueError, match=r"http://host|[Pp]ort"):
        MetadataClient(url)


def test_a_prefix_and_ipv6_are_kept(server: RawServer) -> None:
    server.chunks = [OK + b"Content-Length: 0\r\n\r\n"]
    MetadataClient(f"http://127.0.0.1:{server.port}/fake/").request("GET", "/x")
    assert server.received[0].startswith(b"GET /fake/x HTTP/1.1\r\n")
    MetadataClient("http://[fd00:ec2::254]")
