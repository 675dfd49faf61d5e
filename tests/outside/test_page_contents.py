"""What do the page's own observers add up to?"""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.outside.page_contents import interactions, layout_shift


def shift(at_ms: float, value: float, *, after_input: bool = False) -> dict[str, Any]:
    return {"at": at_ms, "value": value, "after_input": after_input}


def test_an_interaction_of_several_events_counts_once_by_its_slowest() -> None:
    events = [
        {"id": 1, "event": "pointerdown", "ms": 72, "processing_ms": 0.1},
        {"id": 1, "event": "click", "ms": 64, "processing_ms": 60.0},
        {"id": 2, "event": "keydown", "ms": 24, "processing_ms": 30.0},  # its steps of 8 ms cut it short
    ]

    assert interactions({"interactions": events, "count": 2}) == [("click", 72, 60.0), ("keydown", 24, 24)]


def test_one_too_fast_to_be_reported_counts_with_the_threshold() -> None:
    assert interactions({"interactions": [], "count": 2}) == [("fast", 16, 16)] * 2


def test_the_worst_window_of_shifts_counts() -> None:
    near = [shift(0, 0.05), shift(900, 0.05), shift(5000, 0.02)]

    assert layout_shift(near)[0] == pytest.approx(0.1)


def test_a_window_ends_after_five_seconds() -> None:
    steady = [shift(900 * place, 0.01) for place in range(10)]

    assert layout_shift(steady)[0] == pytest.approx(0.06)  # 0 to 4500 ms


def test_what_moves_after_input_is_left_out_and_told() -> None:
    assert layout_shift([shift(0, 0.3, after_input=True), shift(10, 0.01)]) == (0.01, 0.3)
