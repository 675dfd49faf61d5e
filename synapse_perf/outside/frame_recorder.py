"""What does a page's own script see of its frames, and what does the browser's trace say of those that were shown?

`RECORD` notes, in the page, when each frame of its main thread was called for, by `performance.now()`: the one clock
that shows every stall of the main thread. The trace (`read_trace`) tells what the compositor presented, which goes on
where only the main thread stands still. Event shapes are those of Chromium 156.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

STALL_MS = 33.4  # two frames of a 60 Hz display
TRACE_CATEGORIES = ("-*", "blink.user_timing", "disabled-by-default-devtools.timeline.frame")
BEGIN_MARK, END_MARK = "synapse-perf-begin", "synapse-perf-end"
NO_FRAME_MS = 5000.0  # without a frame: the browser draws none, and the recording ends with what there is

# Goes on while `window.synapsePerfBusy`, which a scenario that runs meanwhile clears.
RECORD = """
({duration_ms, no_frame_ms}) => new Promise((resolve) => {
  const gaps = [], started = performance.now();
  let last = started, watch;
  const finish = () => {
    clearTimeout(watch);
    performance.mark('synapse-perf-end');
    resolve({gaps, hidden: document.hidden, duration_ms: last - started});
  };
  performance.mark('synapse-perf-begin');
  const tick = () => {
    const now = performance.now();
    gaps.push(now - last);
    last = now;
    if (now - started >= duration_ms && !window.synapsePerfBusy) { finish(); return; }
    clearTimeout(watch);
    watch = setTimeout(finish, no_frame_ms);
    requestAnimationFrame(tick);
  };
  watch = setTimeout(finish, no_frame_ms);
  requestAnimationFrame(tick);
})
"""

CONTROL_PAGE = """<!doctype html><title>control</title>
<style>@keyframes turn { to { transform: rotate(360deg) } } div { width: 80px; height: 80px; background: teal;
animation: turn 2s linear infinite }</style><div></div>"""


class Shown(NamedTuple):
    """Between the marks: frames that were presented, those dropped where it shows, and when it began (µs)."""

    presented: int
    dropped: int
    seconds: float
    begin_us: float

    @property
    def rate(self) -> float:
        return self.presented / self.seconds if self.seconds else 0.0


def stalls(gaps_ms: list[float]) -> list[float]:
    """The gaps that a person can see; the first one is the wait for the first frame."""
    return [gap for gap in gaps_ms[1:] if gap > STALL_MS]


def read_trace(trace: bytes) -> Shown | None:
    """What the trace tells of the page's renderer; None where it has no marks."""
    events: list[Mapping[str, Any]] = json.loads(trace)["traceEvents"]
    marks = {event["name"]: event for event in events if event.get("name") in (BEGIN_MARK, END_MARK)}
    if len(marks) < 2:
        return None
    begin, end, pid = marks[BEGIN_MARK]["ts"], marks[END_MARK]["ts"], marks[BEGIN_MARK]["pid"]
    states: dict[int, str] = {}
    for event in events:
        if event.get("name") != "PipelineReporter" or event.get("ph") != "b" or event.get("pid") != pid:
            continue
        if not begin <= event["ts"] <= end:
            continue
        told = event.get("args", {})
        report = told.get("frame_reporter") or told.get("chrome_frame_reporter") or {}
        _note(states, report)
    presented = sum(state.startswith("PRESENTED") for state in states.values())
    dropped = sum(state == "DROPPED" for state in states.values())
    return Shown(presented, dropped, (end - begin) * 1e-6, begin)


def _note(states: dict[int, str], report: Mapping[str, Any]) -> None:
    """Main thread and compositor report the same frame each; presented by either is presented."""
    state, number = str(report.get("state", "")).removeprefix("STATE_"), report.get("frame_sequence")
    if number is None:
        return
    if state == "DROPPED" and not report.get("affects_smoothness"):
        return
    if state in ("PRESENTED_ALL", "PRESENTED_PARTIAL") or (state == "DROPPED" and number not in states):
        states[number] = state
