"""Who had the main thread within a time? Hand-made profiles, with samples 1 ms apart."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.outside.cpu_profile import CpuProfile, Place


def frame(name: str, url: str = "", line: int = -1) -> dict[str, Any]:
    return {"functionName": name, "url": url, "lineNumber": line}


APP = "http://127.0.0.1:5173/src/app.js?t=1700000000#top"
NODES = [
    {"id": 1, "callFrame": frame("(root)"), "children": [2, 3, 4, 7]},
    {"id": 2, "callFrame": frame("(idle)")},
    {"id": 3, "callFrame": frame("(program)")},
    {"id": 4, "callFrame": frame("onTick", APP, 9), "children": [5, 8]},
    {"id": 5, "callFrame": frame("sortRows", APP, 19), "children": [6]},
    {"id": 6, "callFrame": frame("sort")},  # of the language: no file
    {"id": 7, "callFrame": frame("(garbage collector)")},
    {"id": 8, "callFrame": frame("", APP, 29)},
]


def profile(*samples: int) -> CpuProfile:
    deltas = [0] + [1000] * (len(samples) - 1)
    end = 1_000_000 + 1000 * len(samples)
    return CpuProfile(
        {"nodes": NODES, "samples": samples, "timeDeltas": deltas, "startTime": 1_000_000, "endTime": end}
    )


def test_what_the_language_brings_counts_for_its_caller() -> None:
    held = profile(4, 6, 6, 5, 2, 2).held(1_000_000, 1_006_000)

    assert held.by == Place("sortRows", "app.js", 20)
    assert held.called_by == Place("onTick", "app.js", 10)
    assert (held.by_ms, held.busy_ms) == (3.0, 4.0)


def test_only_what_lies_within_the_time_counts() -> None:
    held = profile(5, 5, 5, 4, 4, 5, 5, 5).held(1_002_500, 1_005_500)

    assert held.busy_ms == pytest.approx(3.0)
    assert held.by == Place("onTick", "app.js", 10)
    assert held.called_by is None
    assert held.by_ms == pytest.approx(2.0)


def test_an_idle_main_thread_was_held_by_nobody() -> None:
    assert profile(5, 2, 2, 2).held(1_001_000, 1_004_000) == (0.0, None, 0.0, None)


@pytest.mark.parametrize(("node", "name"), [(3, "style, layout or painting"), (7, "garbage collection")])
def test_what_the_browser_does_by_itself_is_named_without_a_file(node: int, name: str) -> None:
    assert profile(node, node).held(1_000_000, 1_002_000).by == Place(name)


def test_a_function_without_a_name_is_told_by_its_place() -> None:
    assert profile(8).held(1_000_000, 1_001_000).by == Place("(anonymous)", "app.js", 30)


def test_an_empty_profile_knows_nobody() -> None:
    assert profile().held(1_000_000, 1_001_000).by is None
