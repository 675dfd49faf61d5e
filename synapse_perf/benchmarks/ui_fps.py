"""How smoothly does a page run in a real browser: what was shown, and how often did its main thread stand still?

One fresh browser for each process. Before and after the page the same browser shows a control page that does next to
nothing: where that one stalls, the machine is what is measured. The first sample is about the page, the next ones are
its frames, each with who held it up, and its interactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Labels, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.cpu_profile import CpuProfile

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("frame_rate", "1/s", "higher", "frames that the compositor showed"),
        MetricDefinition(
            "main_thread_stalls", "1", "lower", "frames later than 33.4 ms, most of it work on the main thread, in 10 s"
        ),
        MetricDefinition("frame_interval", "s", "none", "time between two frames of the main thread"),
        MetricDefinition("interaction_latency", "s", "lower", "from an input to the next frame, 16 ms at least"),
        MetricDefinition("interaction_processing", "s", "lower", "what of that the page's handlers took"),
        MetricDefinition("layout_shift", "1", "lower", "the worst window of layout shifts without input"),
    )
}
PER_S = 10.0
ANIMATED_PER_S = 10.0  # frames that were due: below it the page changes now and then, and has no rate
MAIN_THREAD_SHARE = 0.5  # of a late frame: below it the main thread was waiting, and rendering was late
SCENARIO_S = 60.0
SAMPLES_AT_MOST = 1_000_000  # a trial ends with its last frame, however many there are
CLOCKS = {"script": "ScriptDuration", "layout": "LayoutDuration", "style": "RecalcStyleDuration", "all": "TaskDuration"}


class _Look(NamedTuple):
    """All that one browser told."""

    labels: Labels
    controls: list[dict[str, Any]]
    recorded: dict[str, Any]
    trace: bytes
    profile: dict[str, Any]
    contents: dict[str, Any]
    facts: dict[str, Fact]


def measure(context: Context) -> Iterator[Sample]:
    """The samples of one browser."""
    from synapse_perf.benchmarks.page_in_browser import told_failures

    with told_failures():
        look = asyncio.run(_look(context))
    yield from _samples(look)


async def _look(context: Context) -> _Look:
    from synapse_perf.benchmarks.page_in_browser import fresh_browser, page_in
    from synapse_perf.outside.browser import draws_in_software

    workload = context.workload
    async with fresh_browser(context) as browser:
        rendering = "software" if await draws_in_software(browser) else "gpu"
        context.facts["browser"] = browser.version
        context.stage("looking at the control page")
        before = await _control(browser, workload["control_s"])
        opened = await page_in(browser, context)
        context.stage("recording its frames")
        recorded, trace, profile, spent = await _recorded(browser, opened, workload)
        contents = await opened.answered(opened.page.evaluate(_contents()))
        context.stage("watching what it renders")
        facts = {**_facts_of(spent, recorded, opened), **await _renders(opened, workload["watch_s"])}
        context.facts["warnings"] = opened.warnings
        await opened.page.context.close()
        context.stage("looking at the control page again")
        after = await _control(browser, workload["control_s"])
    return _Look({"rendering": rendering}, [before, after], recorded, trace, profile, contents, facts)


def _contents() -> str:
    from synapse_perf.outside.page_contents import CONTENTS

    return CONTENTS


async def _control(browser: Any, seconds: float) -> dict[str, Any]:
    """The frames of a page that does next to nothing, in a tab of its own."""
    from synapse_perf.outside.frame_recorder import CONTROL_PAGE
    from synapse_perf.outside.opened_page import OpenedPage

    opened = await OpenedPage.in_browser(browser)
    await opened.page.set_content(CONTROL_PAGE)
    recorded = await _record(opened, seconds)
    await opened.page.context.close()
    return recorded


async def _record(opened: Any, seconds: float, more_s: float = 0.0) -> dict[str, Any]:
    from synapse_perf.outside.frame_recorder import NO_FRAME_MS, RECORD

    asked = {"duration_ms": seconds * 1000, "no_frame_ms": NO_FRAME_MS}
    expected_s = seconds + more_s + NO_FRAME_MS / 1000
    recorded: dict[str, Any] = await opened.answered(opened.page.evaluate(RECORD, asked), expected_s)
    return recorded


async def _recorded(
    browser: Any, opened: Any, workload: Mapping[str, Any]
) -> tuple[dict[str, Any], bytes, dict[str, Any], tuple[dict[str, float], dict[str, float]]]:
    """What the page's script, the compositor, the profiler and the renderer's counters each say of the same seconds."""
    from synapse_perf.outside.cpu_profile import INTERVAL_US
    from synapse_perf.outside.frame_recorder import TRACE_CATEGORIES

    await opened.send("Profiler.enable")
    await opened.send("Profiler.setSamplingInterval", {"interval": INTERVAL_US})
    await opened.answered(browser.start_tracing(page=opened.page, categories=list(TRACE_CATEGORIES)))
    await opened.send("Profiler.start")
    before = await opened.metrics()
    if workload.get("scenario"):
        recorded = await _with_scenario(opened, workload["scenario"], workload["seconds"])
    else:
        recorded = await _record(opened, workload["seconds"])
    after = await opened.metrics()
    told = await opened.send("Profiler.stop")
    trace: bytes = await opened.answered(browser.stop_tracing())
    return recorded, trace, told["profile"], (before, after)


async def _renders(opened: Any, seconds: float) -> dict[str, Fact]:
    """What the page writes by itself; after what is judged, as watching it costs the page time."""
    from synapse_perf.outside.opened_page import PageFailed
    from synapse_perf.outside.page_renders import WATCH_RENDERS, read_renders

    try:
        told = await opened.answered(opened.page.evaluate(WATCH_RENDERS, seconds * 1000), seconds)
    except PageFailed:  # it has been recorded all the same
        return {}
    renders = read_renders(told)
    return {f"renders_{name}": value for name, value in renders._asdict().items()} if renders else {}


async def _with_scenario(opened: Any, path: str, seconds: float) -> dict[str, Any]:
    """The recording goes on until the scenario has ended as well."""
    from synapse_perf.outside.scenario_run import run_scenario

    await opened.answered(opened.page.evaluate("() => { window.synapsePerfBusy = true }"))
    recording = asyncio.create_task(_record(opened, seconds, SCENARIO_S))
    try:
        await run_scenario(opened.page, path, SCENARIO_S)
        await opened.answered(opened.page.evaluate("() => { window.synapsePerfBusy = false }"))
        return await recording
    finally:
        recording.cancel()


def _facts_of(
    spent: tuple[dict[str, float], dict[str, float]], recorded: dict[str, Any], opened: Any
) -> dict[str, Fact]:
    """What the page consists of, and what its main thread was busy with while it was recorded."""
    before, after = spent
    seconds = after["Timestamp"] - before["Timestamp"] or 1.0
    shares = {f"{name}_share": (after[key] - before[key]) / seconds for name, key in CLOCKS.items()}
    scripts = opened.scripts.sizes()
    return {
        "seconds": recorded["duration_ms"] / 1000,
        "is_hidden": recorded["hidden"],
        **shares,
        "load_script_s": before["ScriptDuration"],
        "nodes": int(after["Nodes"]),
        "listeners": int(after["JSEventListeners"]),
        "scripts": scripts.files,
        "script_bytes": scripts.size_bytes,
        "script_transferred_bytes": scripts.transferred_bytes,
        "largest_scripts": scripts.largest,
        "is_development": scripts.is_development,
    }


# --- what it adds up to ----------------------------------------------------------------------------------------------


def _samples(look: _Look) -> Iterator[Sample]:
    from synapse_perf.outside.cpu_profile import CpuProfile
    from synapse_perf.outside.frame_recorder import read_trace, stalls
    from synapse_perf.outside.page_contents import interactions, layout_shift

    if len(look.recorded["gaps"]) < 2:
        raise BenchmarkFailed("error", "the browser drew no frame of the page", "is the page hidden, or a download?")
    shown = read_trace(look.trace)
    begin_us = shown.begin_us if shown else None
    profile = CpuProfile(look.profile)
    frames = list(_frames(look.recorded["gaps"], profile, begin_us))
    stalled = sum("held_by" in facts for _, facts in frames)
    shift, after_input = layout_shift(look.contents["shifts"])
    seconds = look.recorded["duration_ms"] / 1000
    values = [Measurement("main_thread_stalls", stalled * PER_S / seconds, look.labels)]
    if shown is not None and shown.presented + shown.dropped >= ANIMATED_PER_S * shown.seconds:
        variant = {} if look.labels["rendering"] == "gpu" else {"variant": "software"}
        values.append(Measurement("frame_rate", shown.rate, {**look.labels, **variant}))
    values.append(Measurement("layout_shift", shift))
    chosen = look.contents["list"]
    facts: dict[str, Fact] = {
        **look.facts,
        "control_stalls": sum(len(stalls(one["gaps"])) for one in look.controls),
        "control_rate": min(len(one["gaps"]) / (one["duration_ms"] / 1000 or 1.0) for one in look.controls),
        "dropped_frames": shown.dropped if shown is not None else None,
        "elements": look.contents["elements"],
        "list": f"{chosen['tag']}{chosen['name']}"[:60],
        "list_items": chosen["items"],
        "list_outside": chosen["outside"],
        "shift_after_input": after_input,
        **_busiest(profile, begin_us, seconds),
    }
    yield Sample(tuple(values), facts)
    for interval_s, about in frames:
        yield Sample((Measurement("frame_interval", interval_s, look.labels),), about)
    for one in interactions(look.contents):
        latency = Measurement("interaction_latency", one.ms / 1000)
        yield Sample((latency, Measurement("interaction_processing", one.processing_ms / 1000)), {"event": one.event})


def _busiest(profile: CpuProfile, begin_us: float | None, seconds: float) -> dict[str, Fact]:
    """Which function the main thread was busy with most, and for which share of the recording."""
    held = profile.held(begin_us, begin_us + seconds * 1e6) if begin_us is not None else None
    if held is None or held.by is None or not seconds:
        return {}
    place = f" ({held.by.file}:{held.by.line})" if held.by.file else ""
    return {"busiest": held.by.function + place, "busiest_share": held.by_ms / 1000 / seconds}


def _frames(gaps: list[float], profile: CpuProfile, begin_us: float | None) -> Iterator[tuple[float, dict[str, Fact]]]:
    """Each frame with how long it came after the last; a late one with what the main thread did meanwhile."""
    from synapse_perf.outside.frame_recorder import STALL_MS

    end_us = (begin_us or 0.0) + gaps[0] * 1000
    for gap in gaps[1:]:
        end_us += gap * 1000
        facts: dict[str, Fact] = {}
        if gap > STALL_MS and begin_us is not None:
            held = profile.held(end_us - gap * 1000, end_us)
            facts["busy_s"] = held.busy_ms / 1000
            if held.by is not None and held.busy_ms > MAIN_THREAD_SHARE * gap:
                facts |= {"held_by": held.by.function, "file": held.by.file, "line": held.by.line}
                facts |= {"held_s": held.by_ms / 1000}
                facts |= {"called_by": held.called_by.function if held.called_by else None}
        yield round(gap, 3) / 1000, facts  # no clock of a page is finer
