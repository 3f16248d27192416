"""What axe finds, in both themes: nothing serious. And what is drawn can be told from what it is drawn on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.ui import crowds
from e2e.ui.browser import chromium, new_context
from e2e.ui.stub import Stub, served
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
MARKS = ".bar, .sign circle, .tick, .mark, .part, .measured, .pip.left, .icon .stroke"
"""What tells something by being seen. WCAG 2.2 wants 3:1 between it and what is around it."""

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with served() as stub:
        report, listed = crowds.interruptions()
        attempts = crowds.attempts(6)
        stub.answers = {"report": report, "interruptions": listed, "run": crowds.run(), "attempts": attempts}
        yield stub


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["interruptions", "attempts", "run"])
def test_axe_finds_nothing_serious(browser: Browser, stub: Stub, page: str, theme: str) -> None:
    context = new_context(browser, theme=theme)
    shown = context.new_page()
    for width in (1280, 360):
        shown.set_viewport_size({"width": width, "height": 900})
        shown.goto(f"{stub.base_url}/interruptible/{page}")
        expect(shown.locator("main[aria-busy=false]")).to_be_attached()
        shown.evaluate(AXE)
        found = shown.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        assert [fault(each) for each in found["violations"] if each["impact"] in ("serious", "critical")] == []
        assert shown.evaluate(CONTRAST, MARKS) == []
    context.close()


def fault(found: dict[str, Any]) -> str:
    """What axe says, and where."""
    return f"{found['id']}: {found['help']}: {[node['html'][:120] for node in found['nodes'][:5]]}"
