"""Whatever a page does, it is one line and never a hang: all of these pages in one real browser, one after another."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from synapse_perf.outside import opened_page
from synapse_perf.outside.browser import BrowserFailed, find_chromium, launched
from synapse_perf.outside.opened_page import OpenedPage, PageFailed
from synapse_perf.outside.page_contents import CONTENTS
from synapse_perf.outside.scenario_run import run_scenario
from tests.outside.fake_servers import free_port
from tests.outside.pages import needs_browser, served

pytestmark = needs_browser
WILD = """<h1>wild</h1><script>
setInterval(() => { throw new Error('planted') }, 50);
window.open('about:blank');
confirm('really?');
</script>"""
PAGES: dict[str, str | int] = {
    "/wild": WILD,
    "/loading": "<h1>here</h1><img src='/slow'>",
    "/missing": 404,
    "/broken": 500,
    "/endless": "<script>setTimeout(() => { for (;;); }, 50)</script>",
    "/loaded": "<ul id='rows'>" + "<li>row</li>" * 900 + "</ul><script src='/big.js?1'></script>",
    "/big.js?1": "//" + "x" * 5000,
}
LEAVES = "() => { location.href = '/loaded'; return new Promise(() => {}) }"
PATIENCE_S, SHORT_S = 20.0, 3.0  # with what comes in the end, and with what never does
SCENARIOS = {  # with the time that each has
    "raises": ("raise ValueError('planted')", PATIENCE_S),
    "misses": ("await page.click('#none', timeout=200)", PATIENCE_S),
    "waits": ("await page.wait_for_timeout(60_000)", 1.0),
}


class Visit:
    """What came of one page."""

    def __init__(self) -> None:
        self.failure: PageFailed | None = None
        self.warnings: list[str] = []
        self.contents: Any = None
        self.scripts: Any = None


@functools.cache
def visits() -> dict[str, Visit]:
    return asyncio.run(_visits())


async def _visits() -> dict[str, Visit]:
    found: dict[str, Visit] = {}

    async def visit(
        name: str, path: str, act: Callable[[OpenedPage], Awaitable[Any]] | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        opened, found[name] = await OpenedPage.in_browser(browser), Visit()
        try:
            await opened.open(urljoin(address, path), patience_s, 0.2)
            found[name].contents = await (act(opened) if act else opened.answered(opened.page.evaluate(CONTENTS)))
        except PageFailed as error:
            found[name].failure = error
        found[name].warnings, found[name].scripts = opened.warnings, opened.scripts.sizes()

    def ignored(*_: Any) -> None:
        pass

    with served(PAGES) as address, tempfile.TemporaryDirectory() as folder:
        program = find_chromium()
        async with launched(program, uses_gpu=False, started=ignored, ended=ignored, at_end=ignored) as browser:
            await visit("/wild", "/wild", lambda opened: opened.page.wait_for_event("pageerror"))
            for path in ("/missing", "/broken", "/loaded"):
                await visit(path, path)
            await visit("leaves", "/loaded", lambda opened: opened.answered(opened.page.evaluate(LEAVES)))
            waiting = [visit("/loading", "/loading", patience_s=SHORT_S)]
            for name, (body, limit_s) in SCENARIOS.items():
                file = Path(folder) / f"{name}.py"
                file.write_text(f"async def run(page):\n    {body}\n")
                run = functools.partial(_run, str(file), limit_s)
                waiting.append(visit(name, "/loaded", run))
            await asyncio.gather(*waiting)
            await visit("down", f"http://127.0.0.1:{free_port()}/")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(opened_page, "BLOCKED_S", 2.0)
                await visit("/endless", "/endless")
    return found


async def _run(file: str, limit_s: float, opened: OpenedPage) -> None:
    await run_scenario(opened.page, file, limit_s)


def test_dialogs_errors_and_windows_stop_nothing() -> None:
    warnings = " ".join(visits()["/wild"].warnings)

    assert visits()["/wild"].failure is None
    assert "the page opens a dialog (confirm), which was dismissed" in warnings
    assert "the page throws: planted (" in warnings


def test_a_page_that_never_finishes_loading_is_measured_as_it_is() -> None:
    assert visits()["/loading"].warnings == ["the page was not loaded after 3 s, and is measured as it was then"]
    assert visits()["/loading"].contents["elements"] > 0


@pytest.mark.parametrize(
    ("name", "message", "kind"),
    [
        ("/missing", "the address answers with status 404", "error"),
        ("/broken", "the address answers with status 500", "error"),
        ("/endless", "the page's main thread answers nothing for 2 s", "time-out"),
        ("leaves", "the page went to another address while it was recorded", "error"),
        ("raises", "raises.py: planted", "error"),
        ("misses", "misses.py: Page.click: Timeout 200ms exceeded.", "error"),
        ("waits", "waits.py takes longer than 1 s", "error"),
        ("down", "the page cannot be opened: connection refused", "error"),
    ],
)
def test_what_cannot_be_measured_is_one_line(name: str, message: str, kind: str) -> None:
    failure = visits()[name].failure

    assert failure is not None
    assert (str(failure), failure.kind) == (message, kind)


def test_the_line_of_a_scenario_that_fails_is_told() -> None:
    failure = visits()["misses"].failure

    assert failure is not None
    assert failure.remedy == "line 2: await page.click('#none', timeout=200)"


def test_a_long_list_is_seen_with_what_is_out_of_sight() -> None:
    chosen = visits()["/loaded"].contents["list"]

    assert (chosen["tag"], chosen["name"], chosen["items"]) == ("ul", "#rows", 900)
    assert 800 < chosen["outside"] < 900


def test_scripts_are_weighed() -> None:
    scripts = visits()["/loaded"].scripts

    assert (scripts.files, scripts.size_bytes, scripts.largest) == (1, 5002, "big.js 5002")
    assert not scripts.is_development


def test_a_program_that_is_no_browser_is_told() -> None:
    async def start() -> None:
        async with launched("/bin/true", uses_gpu=False, started=print, ended=print, at_end=lambda _: None):
            pass

    with pytest.raises(BrowserFailed, match="/bin/true does not start as a browser"):
        asyncio.run(start())
