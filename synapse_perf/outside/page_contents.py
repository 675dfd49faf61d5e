"""What does a page consist of, how does it answer input, and does its layout hold still? Scripts that look from inside.

`WATCH` runs before anything of the page. Event Timing tells of interactions from 16 ms on, in steps of 8 ms. A layout
that moves within 500 ms of input is what the input asked for: the browser leaves it out of its score, and so do we.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

EVENT_THRESHOLD_MS = 16
SESSION_GAP_MS, SESSION_LENGTH_MS = 1000.0, 5000.0  # of a window of layout shifts, as Chromium's own score has it

WATCH = f"""
(() => {{
  const seen = window.synapsePerf = {{interactions: [], shifts: []}};
  const watch = (options, note) => {{
    try {{ new PerformanceObserver((list) => list.getEntries().forEach(note)).observe(options); }} catch (error) {{ }}
  }};
  watch({{type: 'event', durationThreshold: {EVENT_THRESHOLD_MS}, buffered: true}}, (one) => {{
    if (one.interactionId) seen.interactions.push({{id: one.interactionId, event: one.name, ms: one.duration,
      processing_ms: one.processingEnd - one.processingStart}});
  }});
  watch({{type: 'layout-shift', buffered: true}}, (one) =>
    seen.shifts.push({{at: one.startTime, value: one.value, after_input: one.hadRecentInput}}));
}})()
"""

CONTENTS = """
() => {
  const all = document.getElementsByTagName('*');
  let longest = null;
  for (const one of all) {
    if (one.namespaceURI.endsWith('svg') || one.tagName === 'HEAD') continue;
    if (!longest || one.children.length > longest.children.length) longest = one;
  }
  const list = {tag: '', name: '', items: 0, outside: 0};
  if (longest) {
    const places = [...longest.children].map((one) => one.getBoundingClientRect());
    list.tag = longest.tagName.toLowerCase();
    list.name = longest.id ? '#' + longest.id : [...longest.classList].slice(0, 2).map((one) => '.' + one).join('');
    list.items = places.length;
    list.outside = places.filter((one) => one.bottom < 0 || one.top > innerHeight).length;
  }
  const seen = window.synapsePerf || {interactions: [], shifts: []};
  return {...seen, count: performance.interactionCount ?? seen.interactions.length, elements: all.length, list};
}
"""


class Interaction(NamedTuple):
    """One click, tap or key: from the input to the next frame, and what of it the page's handlers took."""

    event: str
    ms: float
    processing_ms: float


def interactions(told: Mapping[str, Any]) -> list[Interaction]:
    """One for each interaction, of several events; those too fast to be told count with the threshold."""
    by_id: dict[int, Interaction] = {}
    for one in told["interactions"]:
        other = by_id.get(one["id"], Interaction(one["event"], 0.0, 0.0))
        event = one["event"] if one["processing_ms"] > other.processing_ms else other.event
        longest = max(one["ms"], other.ms)
        by_id[one["id"]] = Interaction(event, longest, min(longest, max(one["processing_ms"], other.processing_ms)))
    fast = Interaction("fast", EVENT_THRESHOLD_MS, EVENT_THRESHOLD_MS)
    return [*by_id.values(), *[fast] * max(0, told["count"] - len(by_id))]


def layout_shift(shifts: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The worst window's score, and what was left out of it as it came right after input."""
    worst = window = 0.0
    begun = last = float("-inf")
    for one in shifts:
        if one["after_input"]:
            continue
        if one["at"] - last > SESSION_GAP_MS or one["at"] - begun > SESSION_LENGTH_MS:
            window, begun = 0.0, one["at"]
        window, last = window + one["value"], one["at"]
        worst = max(worst, window)
    return worst, sum(one["value"] for one in shifts if one["after_input"])
