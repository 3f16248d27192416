"""Chromium, headless, that notes whatever a page must not do."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Frame, Page, Request

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE = 60_000
OURS = "/interruptible/"
_SANDBOX = "can escape its sandboxing"  # Chromium of the frame that Airflow makes for every plugin
_WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} at ${event.sourceFile}`));
"""


@dataclass
class Faults:
    """What the pages of one test did that they must not do."""

    host: str
    allowed: str | None = None
    """A text in what the console says that the test provokes."""
    found: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        url = message.location.get("url", "")
        if message.type not in ("error", "warning") or _SANDBOX in message.text:
            return
        if self.allowed is not None and self.allowed in message.text:
            return
        if OURS in url or "policy" in message.text.lower():
            self.found.append(f"{url}: {message.text}")

    def _error(self, error: Any) -> None:
        if OURS in (error.stack or ""):  # Airflow's own pages have some of their own
            self.found.append(str(error.stack))

    def _request(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme in ("http", "https") and where.netloc != self.host and _ours(request.frame):
            self.found.append(f"asked another host: {request.url}")


def _ours(frame: Frame) -> bool:
    return OURS in frame.url


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that Debian installed."""
    path = shutil.which("chromium")
    assert path, "no chromium on PATH: apt-get install chromium"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def new_context(browser: Browser, theme: str = "light", width: int = 1280, zone: str = "UTC") -> BrowserContext:
    """A person's browser, who has chosen a theme and a time zone in Airflow."""
    context = browser.new_context(viewport={"width": width, "height": 900}, timezone_id="America/New_York")
    chosen = f'localStorage.setItem("theme", "{theme}"); localStorage.setItem("timezone", \'"{zone}"\');'
    context.add_init_script(f"try {{ if (!localStorage.getItem('theme')) {{ {chosen} }} }} catch {{}}")
    context.add_init_script(_WATCH_POLICY)
    context.set_default_timeout(PATIENCE)
    return context
