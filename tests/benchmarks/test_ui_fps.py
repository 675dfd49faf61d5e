"""What does one browser tell of a page? Real ones, with planted blocks; counts and names, never a rate."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.ui_findings import ui_findings
from synapse_perf.benchmarks import ui_fps, ui_leak
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.ui_fps import METRICS
from synapse_perf.model import Trial
from synapse_perf.outside import opened_page
from synapse_perf.outside.browser import FOLDER, find_chromium
from synapse_perf.outside.opened_page import SAMPLE_URL
from synapse_perf.samples import Sample
from tests.analyze.made_pages import SPEC
from tests.outside.pages import BUTTON, LEAKING, RENDERING, blocked, needs_browser, served, temporary

pytestmark = needs_browser
__all__ = ["temporary"]  # a fixture
LOOK = (0, 0, None)


class Told:
    """What the worker was told, and the page's samples."""

    def __init__(self, samples: list[Sample], context: Context, messages: list[tuple[str, dict[str, Any]]]) -> None:
        self.samples = samples
        self.facts = context.facts
        self.messages = messages

    @property
    def page(self) -> Any:
        return self.samples[0].facts

    def values(self, name: str) -> list[float]:
        return [one.value for sample in self.samples for one in sample.values if one.metric == name]

    @property
    def holders(self) -> list[str]:
        return [str(sample.facts["held_by"]) for sample in self.samples if sample.facts.get("held_by")]


def look(url: str, measure: Callable[[Context], Any] = ui_fps.measure, **workload: Any) -> Told:
    messages: list[tuple[str, dict[str, Any]]] = []
    asked = {
        "url": url,
        "seconds": 1.0,
        "control_s": 0.2,
        "watch_s": 0.3,
        "settle_s": 0.1,
        "patience_s": 20.0,
        "chromium": find_chromium(),
        "uses_gpu": False,
        "scenario": None,
        **workload,
    }
    context = Context(asked, 0, 0, (LOOK, LOOK), lambda kind, **more: messages.append((kind, more)))
    return Told(list(measure(context)), context, messages)


@functools.cache
def sample_page() -> Told:
    return look(SAMPLE_URL, seconds=2.0)


def scenario(folder: Path, body: str) -> str:
    file = folder / "scenario.py"
    file.write_text(f"async def run(page):\n    {body}\n")
    return str(file)


def test_a_planted_block_is_found_and_its_function_named() -> None:
    with served({"/": blocked(120, every_ms=400)}) as url:
        told = look(f"{url}/", seconds=3.0)

    assert told.values("main_thread_stalls")[0] > 0
    assert told.holders.count("burn") >= 2
    named = next(sample.facts for sample in told.samples if sample.facts.get("held_by") == "burn")
    assert (named["file"], named["line"], named["called_by"]) == (url.removeprefix("http://"), 2, "tick")
    assert max(told.values("frame_interval")) > 0.1


def test_the_sample_page_moves_all_the_time() -> None:
    told = sample_page()

    assert len(told.values("frame_interval")) > 15
    assert told.values("layout_shift") == [0]
    assert told.page["list_items"] < 20
    assert told.facts["warnings"] == []


def test_what_is_drawn_in_software_is_labelled_so_that_no_target_judges_it() -> None:
    (rate,) = [one for one in sample_page().samples[0].values if one.metric == "frame_rate"]

    assert rate.labels == {"rendering": "software", "variant": "software"}


def test_a_page_that_does_not_move_has_no_rate(temporary: Path) -> None:
    """And nothing of its browser stays: no process, no folder, not even what one that was killed had left."""
    (temporary / f"{FOLDER}999999999-left").mkdir()
    with served({"/": "<p>still</p>"}) as url:
        told = look(f"{url}/", seconds=1.0)

    assert told.values("frame_rate") == []
    pids = {kind: more["pid"] for kind, more in told.messages if kind in ("started", "ended")}
    assert pids["started"] == pids["ended"]
    with pytest.raises(ProcessLookupError):
        os.kill(pids["started"], 0)
    assert list(temporary.iterdir()) == []


def test_interactions_and_what_moves_after_them_are_told(tmp_path: Path) -> None:
    click = "await page.click('#slow'); await page.wait_for_timeout(200)"
    body = "; ".join([click] * 4)
    with served({"/": BUTTON}) as url:
        told = look(f"{url}/", scenario=scenario(tmp_path, body))

    assert len(told.values("interaction_latency")) == 4
    assert min(told.values("interaction_processing")) >= 0.059
    assert "answerSlowly" in told.holders  # of some of the late frames; a crowded machine adds to each
    assert told.page["shift_after_input"] > 0
    assert told.values("layout_shift") == [0]


def test_nodes_and_listeners_that_stay_are_counted_exactly(tmp_path: Path) -> None:
    with served({"/": LEAKING}) as url:
        leaking = look(f"{url}/", ui_leak.measure, scenario=scenario(tmp_path, "await page.click('#leak')"), rounds=4)
        tidy = look(f"{url}/", ui_leak.measure, scenario=scenario(tmp_path, "await page.click('#tidy')"), rounds=4)

    assert leaking.values("dom_node_growth")[2:] == [3000, 3000]
    assert leaking.values("listener_growth")[2:] == [3000, 3000]
    assert tidy.values("dom_node_growth")[2:] == [0, 0]
    assert tidy.values("listener_growth")[2:] == [0, 0]


def test_an_endless_loop_is_a_failure_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_page, "BLOCKED_S", 1.0)
    endless = "<script>setTimeout(() => { for (;;); }, 50)</script>"
    with (
        served({"/": endless}) as url,
        pytest.raises(BenchmarkFailed, match="main thread answers nothing for 1 s") as told,
    ):
        look(f"{url}/")

    assert told.value.failure["kind"] == "time-out"


def test_faults_of_one_page_are_found_together() -> None:
    """A list that is not virtualised and built anew alike, and a large script."""
    rows = RENDERING.replace("length: 100", "length: 900").replace("SHOWN", "the same")
    with served({"/": f"{rows}<script src='/big.js'></script>", "/big.js": "//" + "x" * 1_100_000}) as url:
        told = look(f"{url}/", seconds=1.0, watch_s=1.0)

    found = {one.id: one for one in ui_findings(metrics_of([Trial(SPEC, 1, tuple(told.samples), 1.0)], METRICS))}
    assert {"needless-renders", "long-list", "large-bundle"} <= set(found)
    assert "most of them in ul#rows" in found["needless-renders"].cause
    assert found["long-list"].cause.startswith("ul#rows has 900 children")
