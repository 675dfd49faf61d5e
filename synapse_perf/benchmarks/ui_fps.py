"""How smoothly does a page run in a real browser: what was shown, and how often did its main thread stand still?

One fresh browser for each process. Before and after the page the same browser shows a control page that does next to
nothing: where that one stalls, the machine is what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("frame_rate", "1/s", "higher", "frames that the compositor showed"),
        MetricDefinition(
            "main_thread_stalls", "1", "lower", "frames that came more than 33.4 ms after the last, in 10 s"
        ),
        MetricDefinition("frame_gap", "s", "lower", "the longest time between two frames of the main thread"),
    )
}
CONTROL_S = 2.0
SETTLE_MS = 1000
PER_S = 10.0
LONGEST_SHOWN = 5


def measure(context: Context) -> Iterator[Sample]:
    """One sample a browser."""
    from synapse_perf.outside.browser import BrowserMissing, launched

    workload = context.workload
    context.stage("starting the browser")
    try:
        with launched(workload["chromium"], uses_gpu=workload["uses_gpu"]) as browser:
            yield _visit(context, browser)
    except BrowserMissing as error:
        raise BenchmarkFailed("error", str(error), error.remedy) from error


def _visit(context: Context, browser: Any) -> Sample:
    from playwright.sync_api import Error

    from synapse_perf.outside.frame_recorder import CONTROL_PAGE

    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.on("dialog", lambda dialog: dialog.dismiss())
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error).splitlines()[0]))
    try:
        context.stage("looking at the control page")
        page.set_content(CONTROL_PAGE)
        before = _record(page, CONTROL_S)
        context.stage("opening the page")
        answer = page.goto(context.workload["url"], wait_until="load", timeout=context.workload["patience_s"] * 1000)
        page.wait_for_timeout(SETTLE_MS)
        context.stage("recording its frames")
        sample_of, trace = _record_traced(browser, page, context.workload["seconds"])
        context.stage("looking at the control page again")
        page.goto("about:blank")
        page.set_content(CONTROL_PAGE)
        after = _record(page, CONTROL_S)
    except Error as error:
        told = str(error).splitlines()[0]
        raise BenchmarkFailed("error", f"{context.workload['url']}: {told}", "open it in a browser by hand") from error
    context.facts["status"] = answer.status if answer is not None else None
    context.facts["thrown"] = thrown[:5]
    context.facts["browser"] = browser.version
    return _sample(context, sample_of, trace, [before, after])


def _record(page: Any, seconds: float) -> dict[str, Any]:
    from synapse_perf.outside.frame_recorder import RECORD

    recorded: dict[str, Any] = page.evaluate(RECORD, seconds * 1000)
    return recorded


def _record_traced(browser: Any, page: Any, seconds: float) -> tuple[dict[str, Any], bytes]:
    from synapse_perf.outside.frame_recorder import TRACE_CATEGORIES

    browser.start_tracing(page=page, categories=list(TRACE_CATEGORIES))
    try:
        recorded = _record(page, seconds)
    finally:
        trace: bytes = browser.stop_tracing()
    return recorded, trace


def _sample(context: Context, recorded: dict[str, Any], trace: bytes, controls: list[dict[str, Any]]) -> Sample:
    from synapse_perf.outside.frame_recorder import missed_frames, shown_frames, stalls

    seconds = recorded["duration_ms"] / 1000
    found = stalls(recorded["gaps"])
    shown = shown_frames(trace)
    values = [
        Measurement("main_thread_stalls", len(found) * PER_S / seconds),
        Measurement("frame_gap", max(recorded["gaps"][1:], default=0.0) / 1000),
    ]
    if shown is not None:
        values.insert(0, Measurement("frame_rate", shown.rate))
    context.facts["stalls_ms"] = [round(one, 1) for one in found]
    context.facts["tasks"] = sorted(recorded["tasks"], key=lambda task: -task["ms"])[:LONGEST_SHOWN]
    context.facts["gaps_ms"] = [round(one, 1) for one in recorded["gaps"]]
    facts: dict[str, Fact] = {
        "control_stalls": sum(len(stalls(one["gaps"])) for one in controls),
        "missed_frames": missed_frames(recorded["frames"]),
        "dropped_frames": shown.dropped if shown is not None else None,
        "is_hidden": recorded["hidden"],
        "nodes": recorded["nodes"],
    }
    return Sample(tuple(values), facts)
