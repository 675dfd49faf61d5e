"""How did the frames come? A line for each second, with one character for each refresh of a display of 60 Hz."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.analyze.ui_frames import Frame, frames_of, median_browser
from synapse_perf.model import Result
from synapse_perf.report.document import Paragraph, Section, Strip, Tone

REFRESH_S = 1 / 60
PER_LINE = 60
LINES_AT_MOST = 10
ON_TIME, LATE, STALLED = "▁", "▄", "█"
TONES: tuple[tuple[str, Tone], ...] = ((ON_TIME, "good"), (LATE, "warn"), (STALLED, "bad"))
LEGEND = (
    f"One mark a refresh of the display, a line a second: {ON_TIME} a new frame, {STALLED} none while the main "
    f"thread was held, {LATE} none for another reason."
)


def strip_section(result: Result) -> Section | None:
    """Of the browser whose stalls are the median; None without frames."""
    chosen, browsers = median_browser(result.metrics), frames_of(result.metrics)
    if chosen is None or chosen >= len(browsers) or not browsers[chosen]:
        return None
    text = strip(browsers[chosen])
    lines = [text[place : place + PER_LINE] for place in range(0, len(text), PER_LINE)]
    rows = tuple((f"{second} s", line) for second, line in enumerate(lines[:LINES_AT_MOST]))
    more = f" {len(lines) - LINES_AT_MOST} more seconds are in the JSON result." if len(lines) > LINES_AT_MOST else ""
    title = f"Frames of browser {chosen + 1}"
    if len(browsers) > 1:
        title += f", which has the median of {len(browsers)}"
    return Section(title, (Strip(rows, TONES), Paragraph(LEGEND + more, "quiet")))


def strip(frames: Sequence[Frame]) -> str:
    """Frames on the display's grid: what a late frame missed stands before it."""
    text: list[str] = []
    for frame in frames:
        missed = max(0, round(frame.at_s / REFRESH_S) - len(text) - 1)
        mark = STALLED if frame.holder is not None else LATE
        text += [mark] * missed if frame.is_late else [LATE] * missed
        if round(frame.at_s / REFRESH_S) > len(text):
            text.append(ON_TIME)
    return "".join(text)
