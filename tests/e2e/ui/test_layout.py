"""Nothing leaves its card: in a frame, on a phone and on a desk, in any font, whatever the figures and the names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e.ui import crowds
from e2e.ui.browser import chromium, new_context
from e2e.ui.stub import Stub, served
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

WIDTHS = (288, 360, 768, 1280, 1600)
FONTS = ("sans-serif", "serif", "monospace")
"""Generic families: every machine has them, whatever it draws them with, and no two are equally wide."""

LAYOUT = (Path(__file__).parent / "layout.js").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with served() as stub:
        report, listed = crowds.interruptions()
        stub.answers = {"report": report, "interruptions": listed, "run": crowds.run()}
        yield stub


@pytest.mark.parametrize(
    ("page", "theme"),
    [
        ("interruptions", "light"),
        ("interruptions", "dark"),
        ("attempts-3", "light"),
        ("attempts-30", "dark"),
        ("run", "light"),
    ],
)
def test_nothing_leaves_its_card(browser: Browser, stub: Stub, page: str, theme: str) -> None:
    name, _, count = page.partition("-")
    if count:
        stub.answers["attempts"] = crowds.attempts(int(count))
    context = new_context(browser, theme=theme)
    shown = context.new_page()
    shown.goto(f"{stub.base_url}/frame?theme={theme}&page={name}")
    expect(shown.frame_locator("iframe").locator("main[aria-busy=false]")).to_be_attached()
    assert faults(shown) == []
    context.close()


def faults(page: Page) -> list[str]:
    """What is wrong in the frame of a page, in every font and width."""
    [frame] = page.frames[1:]
    found = []
    for font in FONTS:
        frame.evaluate("font => document.body.style.fontFamily = font", font)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            frame.evaluate("() => new Promise(requestAnimationFrame)")
            found += [f"{font} at {width}: {fault}" for fault in frame.evaluate(LAYOUT)]
    return found
