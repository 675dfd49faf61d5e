"""What does a page's own script see of its frames, and what does the browser's trace say of those that were shown?

`RECORD` counts, in the page, the frames that its main thread was called for and how long each came after the last by
`performance.now()`: the one clock that shows every stall of the main thread. The trace (`shown_frames`) tells what the
compositor presented, which goes on where only the main thread stands still. Event shapes are those of Chromium 156.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

STALL_MS = 33.4  # two frames of a 60 Hz display
TRACE_CATEGORIES = ("-*", "blink.user_timing", "disabled-by-default-devtools.timeline.frame")
BEGIN_MARK, END_MARK = "synapse-perf-begin", "synapse-perf-end"

RECORD = """
(duration_ms) => new Promise((resolve) => {
  const frames = [], gaps = [], tasks = [], started = performance.now();
  let last = started;
  const observer = new PerformanceObserver((list) => {
    for (const one of list.getEntries()) {
      tasks.push({at: one.startTime - started, ms: one.duration, blocking_ms: one.blockingDuration,
        scripts: (one.scripts || []).map((script) => ({invoker: script.invoker, name: script.sourceFunctionName,
          source: script.sourceURL, at: script.sourceCharPosition, ms: script.duration}))});
    }
  });
  try { observer.observe({type: 'long-animation-frame', buffered: false}); } catch (error) { }
  performance.mark('synapse-perf-begin');
  const tick = (time) => {
    const now = performance.now();
    frames.push(time);
    gaps.push(now - last);
    last = now;
    if (now - started < duration_ms) { requestAnimationFrame(tick); return; }
    performance.mark('synapse-perf-end');
    observer.disconnect();
    resolve({frames, gaps, tasks, hidden: document.hidden, duration_ms: now - started,
      nodes: document.getElementsByTagName('*').length});
  };
  requestAnimationFrame(tick);
})
"""

CONTROL_PAGE = """<!doctype html><title>control</title>
<style>@keyframes turn { to { transform: rotate(360deg) } } div { width: 80px; height: 80px; background: teal;
animation: turn 2s linear infinite }</style><div></div>"""


class Shown(NamedTuple):
    """Frames within the marks: presented ones, and those that were dropped where it shows."""

    presented: int
    dropped: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.presented / self.seconds if self.seconds else 0.0


def missed_frames(times_ms: list[float], interval_ms: float = 1000 / 60) -> int:
    """How many times the display went on without a frame of the main thread, by the times of the frames."""
    gaps = (later - earlier for earlier, later in itertools.pairwise(times_ms))
    return sum(max(0, round(gap / interval_ms) - 1) for gap in gaps)


def stalls(gaps_ms: list[float]) -> list[float]:
    """The gaps that a person can see; the first one is the wait for the first frame."""
    return [gap for gap in gaps_ms[1:] if gap > STALL_MS]


def shown_frames(trace: bytes) -> Shown | None:
    """What the trace tells of the page's renderer; None where it has no frames or no marks."""
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
    if not states:
        return None
    presented = sum(state.startswith("PRESENTED") for state in states.values())
    return Shown(presented, sum(state == "DROPPED" for state in states.values()), (end - begin) * 1e-6)


def _note(states: dict[int, str], report: Mapping[str, Any]) -> None:
    """Main thread and compositor report the same frame each; presented by either is presented."""
    state, number = str(report.get("state", "")).removeprefix("STATE_"), report.get("frame_sequence")
    if number is None:
        return
    if state == "DROPPED" and not report.get("affects_smoothness"):
        return
    if state in ("PRESENTED_ALL", "PRESENTED_PARTIAL") or (state == "DROPPED" and number not in states):
        states[number] = state
