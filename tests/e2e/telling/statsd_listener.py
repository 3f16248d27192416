"""A StatsD server in miniature: it keeps every datagram, and reads the tags that ``statsd_influxdb_enabled`` writes."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Metric:
    """One line, such as ``airflow.interruptible.forgiven,cause=spot_interruption:1|c``."""

    name: str
    tags: dict[str, str]
    value: float
    kind: str

    @classmethod
    def parse(cls, line: str) -> Metric:
        head, _, rest = line.partition(":")
        name, *tags = head.split(",")
        value, kind = rest.split("|")[:2]
        return cls(name, dict(tag.split("=", 1) for tag in tags), float(value), kind)


@dataclass
class StatsdListener:
    """Listens on a free port of the loopback interface while it is open."""

    lines: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def ours(self) -> list[Metric]:
        """What was counted of interruptible tasks, oldest first."""
        return [Metric.parse(line) for line in list(self.lines) if line.startswith("airflow.interruptible.")]

    def _listen(self) -> None:
        while datagram := self._socket.recv(65536):
            self.lines += datagram.decode().splitlines()
