"""A report in a real browser: it is whole without a network, nothing in it runs, and it fits on a narrow screen."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from synapse_perf.analyze.suite import suite_of
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.outside.browser import find_chromium
from synapse_perf.report.render import write_output
from tests.report.every_example import EVERY

SHOWN = """() => ({
  titles: [...document.querySelectorAll('h2')].filter(one => one.checkVisibility()).map(one => one.textContent),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  plots: [...document.querySelectorAll('svg.plot')].map(one => one.getBoundingClientRect().height),
  frames: [...document.querySelectorAll('svg.marks')].map(one => one.getBoundingClientRect().width),
  stalls: document.querySelectorAll('svg.marks .bad').length,
  bars: [...document.querySelectorAll('.bar')].filter(one => one.checkVisibility() && one.offsetWidth > 0).length,
})"""
OPEN = "() => document.querySelectorAll('details').forEach(one => { one.open = true })"


class Seen(NamedTuple):
    """What a browser made of the page: folded, and with all parts open on a narrow screen."""

    folded: dict[str, Any]
    open: dict[str, Any]
    asked_for: list[str]
    complaints: list[str]


async def _look(path: Path) -> Seen:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            page = await browser.new_page(viewport={"width": 1000, "height": 1400})
            asked_for: list[str] = []
            complaints: list[str] = []
            page.on("request", lambda request: asked_for.append(request.url))
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(path.as_uri())
            folded = await page.evaluate(SHOWN)
            await page.set_viewport_size({"width": 420, "height": 800})
            await page.evaluate(OPEN)
            return Seen(folded, await page.evaluate(SHOWN), asked_for, complaints)
        finally:
            await browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite with timelines, distributions, a Pareto plot, a strip of frames, and words that would be markup."""
    hostile = "<script>alert(1)</script><img src='http://127.0.0.1:9/x'>"
    results = [
        EVERY["full"](),
        replace(EVERY["retrieval_tuned"](), warnings=(hostile,)),
        EVERY["latency_full"](),
        EVERY["ui_blocked"](),
    ]
    path = tmp_path_factory.mktemp("report") / "r.html"
    write_output(suite_of(results, TARGETS, {}, profile="laptop"), path)
    return path


@pytest.fixture(scope="module")
def seen(page: Path) -> Seen:
    return asyncio.run(asyncio.wait_for(_look(page), 60))


def test_a_report_asks_for_nothing_and_runs_nothing(page: Path, seen: Seen) -> None:
    assert seen.asked_for == [page.as_uri()]
    assert seen.complaints == []


def test_the_five_parts_and_the_spread_are_read_first_and_each_command_unfolds(seen: Seen) -> None:
    assert [title[:2] for title in seen.folded["titles"][:5]] == ["1.", "2.", "3.", "4.", "5."]
    assert "Distributions" in seen.folded["titles"]
    assert len(seen.open["titles"]) > len(seen.folded["titles"]) + 10


def test_plots_and_timelines_are_drawn(seen: Seen) -> None:
    assert seen.open["plots"]
    assert min(seen.open["plots"]) > 100
    assert seen.open["bars"] > 20


def test_each_second_of_frames_is_one_line_with_its_stalls(seen: Seen) -> None:
    """On the narrow screen as well: a little more than five seconds, with five stalls."""
    assert len(seen.open["frames"]) == 6
    assert max(seen.open["frames"]) < 420
    assert seen.open["stalls"] == 5


def test_nothing_is_wider_than_the_screen(seen: Seen) -> None:
    assert seen.folded["wide"] <= 0
    assert seen.open["wide"] <= 0
