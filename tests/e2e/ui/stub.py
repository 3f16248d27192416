"""The pages served alone, with answers that a test makes up, and inside a frame as Airflow puts them into one."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from airflow_interruptible.testing.polling import wait_until
from airflow_interruptible.ui import pages
from airflow_interruptible.ui.headers import SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME = """<!doctype html><html class="{theme}"><body style="margin: 0">
<iframe src="interruptible/{page}" sandbox="allow-scripts allow-same-origin allow-forms"
 style="border: 0; width: 100%; height: 100vh"></iframe></body></html>"""


@dataclass
class Stub:
    """A server of pages. ``answers`` holds what the API says, by its path."""

    base_url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)

    def app(self) -> FastAPI:
        outside, inside = FastAPI(), FastAPI()
        inside.add_middleware(SecurityHeaders)
        inside.include_router(pages.router)
        inside.add_api_route("/api/{path:path}", lambda path: self.answers[path])
        outside.add_api_route("/frame", self._frame, response_class=HTMLResponse)
        outside.mount("/interruptible", inside)
        return outside

    def _frame(self, page: str, theme: str = "light") -> str:
        return FRAME.format(page=page.replace("&", "&amp;"), theme=theme)


@contextmanager
def served() -> Iterator[Stub]:
    """Pages for a visitor who is signed in."""

    async def visitor(_request: object) -> object:
        return object()

    stub = Stub()
    server = uvicorn.Server(uvicorn.Config(stub.app(), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    with mock.patch.object(pages, "visitor", visitor):
        thread.start()
        wait_until(lambda: server.started, bool, what="the server", timeout=60)
        stub.base_url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield stub
        server.should_exit = True
        thread.join()
