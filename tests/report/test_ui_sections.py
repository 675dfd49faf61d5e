"""What does a report of ui-fps open with, and how do its frames read?"""

from __future__ import annotations

import pytest

from synapse_perf.analyze.ui_frames import Frame, Holder
from synapse_perf.model import Result
from synapse_perf.report.render import render
from synapse_perf.report.ui_frames import strip
from tests.analyze.made_pages import browser
from tests.report.ui_examples import EXAMPLES, blocked, result, smooth

HELD = Holder("burn", "app.js", 2, "")
REFRESH_S = 1 / 60


def text(shown: Result) -> str:
    return render(shown, "console", width=200, color=False, ascii_only=False)


def frames(*intervals: tuple[int, Holder | None]) -> list[Frame]:
    """Each so many refreshes after the one before."""
    found, at = [], 0
    for refreshes, holder in intervals:
        at += refreshes
        found.append(Frame(at * REFRESH_S, refreshes * REFRESH_S, holder))
    return found


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("ui_blocked", "FAIL: 1 target missed (ui-animation 10.0 in 10 s, limit 1.00 in 10 s); 2 leaks"),
        ("ui_smooth", "PASS: 1 target met (ui-animation 59.8 1/s, limit 57.0 1/s)"),
        ("ui_unfit", "NOT COMPARABLE: 1 target not comparable"),
        ("ui_sample", "NOT MEASURED: works here (sample, not your system)"),
        ("ui_failed", "NOT MEASURED: no target applies; nothing was measured; 1 failure"),
    ],
)
def test_the_first_line_is_the_verdict(name: str, beginning: str) -> None:
    assert text(EXAMPLES[name]()).startswith(beginning)


def test_who_held_the_main_thread_is_told_in_the_second() -> None:
    second = text(blocked()).splitlines()[1]

    assert second.endswith("held by drawLamps (index-4f2c.js:256), called by tick.")


def test_a_rate_is_judged_only_where_a_gpu_draws() -> None:
    assert "Shown: 59.8 frames a second (at least 57 are needed)." in text(smooth())
    assert "Shown: 59.0 frames a second (drawn in software, and so not judged)." in text(blocked())


def test_what_the_layout_score_leaves_out_is_said() -> None:
    assert "layout shift  0.00; what moves within 500 ms of input is left out by design" in text(smooth())


def test_a_frame_a_refresh_is_a_flat_line() -> None:
    assert strip(frames(*[(1, None)] * 5)) == "▁▁▁▁▁"


def test_what_a_late_frame_missed_stands_before_it() -> None:
    assert strip(frames((1, None), (4, HELD), (1, None), (3, None), (1, None))) == "▁███▁▁▄▄▁▁"


def test_jitter_within_a_refresh_changes_nothing() -> None:
    times = (0.0166, 0.0331, 0.0502, 0.0667)
    shaky = [Frame(at, at - before, None) for before, at in zip((0.0, *times), times, strict=False)]

    assert strip(shaky) == "▁▁▁▁"


def test_what_react_renders_by_itself_and_who_is_busiest_are_told() -> None:
    about = {
        "renders_seconds": 2.0,
        "renders_renders": 800,
        "renders_idle_renders": 780,
        "busiest": "renderRow (app.js:7)",
        "busiest_share": 0.21,
    }
    shown = text(result(*(browser(process, **about) for process in range(1, 7))))

    assert "400 React components a second while nobody does anything, 390 of them for nothing" in shown
    assert "layout 1.00 %); most in renderRow (app.js:7), 21.0 %" in shown
    assert "React components" not in text(smooth())
