# SPDX-License-Identifier: Apache-2.0
"""The style sheets and scripts: all there, all ours, and none that could make text into markup."""

from __future__ import annotations

import re

import pytest

from airflow_interruptible.plugin import ICONS
from airflow_interruptible.ui import static_files as served
from airflow_interruptible.ui.static_files import static_files, template, version

PAGES = ("attempts", "run", "interruptions", "signed-out")
SCRIPTS = sorted(name for name in static_files() if name.endswith(".js"))
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc")
NAMESPACE = "http://www.w3.org/2000/svg"


def source(name: str) -> str:
    return static_files()[name].body.decode()


def test_pages_and_scripts_name_only_files_that_are_there() -> None:
    named = {found for page in PAGES for found in re.findall(rf"static/{version()}/([^\"]+)", template(page))}
    named |= {found for script in SCRIPTS for found in re.findall(r"from \"\./([^\"]+)\"", source(script))}
    icons = {address.rpartition("/")[2] for address in ICONS.values()}
    assert named | icons == set(static_files())


@pytest.mark.parametrize("name", static_files())
def test_a_file_says_its_licence_and_names_no_other_host(name: str) -> None:
    assert "SPDX-License-Identifier: Apache-2.0" in source(name).splitlines()[0]
    assert re.findall(r"https?://[^\s\"'`)]+\w", source(name).replace(NAMESPACE, "")) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_text_into_markup(name: str) -> None:
    assert not MARKUP.search(source(name))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_holds_no_inline_script_or_style_and_only_relative_addresses(page: str) -> None:
    text = template(page)
    assert not re.search(r"\sstyle=|<style|\son\w+=", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert addresses
    assert not any(address.startswith(("/", "http")) for address in addresses)


def test_another_content_has_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    before = version()
    files = {**static_files(), "page.css": served.StaticFile(b"", "text/css")}
    monkeypatch.setattr(served, "static_files", lambda: files)
    served.version.cache_clear()
    try:
        assert version() != before
    finally:
        served.version.cache_clear()
