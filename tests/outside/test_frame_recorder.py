"""What does a trace say of the frames that were shown?"""

from __future__ import annotations

import json
from typing import Any

from synapse_perf.outside.frame_recorder import BEGIN_MARK, END_MARK, read_trace, stalls

PAGE, OTHER = 7, 8  # processes


def mark(name: str, at_us: int) -> dict[str, Any]:
    return {"name": name, "ts": at_us, "pid": PAGE, "ph": "I"}


def reported(number: int, state: str, at_us: int = 500, pid: int = PAGE, **more: Any) -> dict[str, Any]:
    report = {"frame_sequence": number, "state": f"STATE_{state}", **more}
    return {"name": "PipelineReporter", "ph": "b", "pid": pid, "ts": at_us, "args": {"frame_reporter": report}}


def trace(*events: dict[str, Any]) -> bytes:
    marks = mark(BEGIN_MARK, 100), mark(END_MARK, 1_000_100)
    return json.dumps({"traceEvents": [*marks, *events]}).encode()


def test_a_frame_counts_once_whoever_reports_it() -> None:
    shown = read_trace(trace(reported(1, "PRESENTED_ALL"), reported(1, "PRESENTED_PARTIAL"), reported(2, "DROPPED")))

    assert shown is not None
    assert (shown.presented, shown.dropped, shown.rate, shown.begin_us) == (1, 0, 1.0, 100)


def test_a_drop_counts_where_it_shows_and_nobody_presented_it() -> None:
    shown = read_trace(
        trace(
            reported(1, "DROPPED", affects_smoothness=True),
            reported(2, "DROPPED", affects_smoothness=True),
            reported(2, "PRESENTED_PARTIAL"),
            reported(3, "NO_UPDATE_DESIRED"),
        )
    )

    assert shown is not None
    assert (shown.presented, shown.dropped) == (1, 1)


def test_frames_of_others_and_of_other_times_do_not_count() -> None:
    shown = read_trace(
        trace(reported(1, "PRESENTED_ALL", pid=OTHER), reported(2, "PRESENTED_ALL", 50), reported(3, "PRESENTED_ALL"))
    )

    assert shown is not None
    assert shown.presented == 1


def test_the_older_name_of_the_report_is_known() -> None:
    event = reported(1, "PRESENTED_ALL")
    event["args"] = {"chrome_frame_reporter": event["args"]["frame_reporter"]}
    shown = read_trace(trace(event))

    assert shown is not None
    assert shown.presented == 1


def test_a_trace_without_the_marks_says_nothing() -> None:
    assert read_trace(json.dumps({"traceEvents": [reported(1, "PRESENTED_ALL")]}).encode()) is None


def test_the_wait_for_the_first_frame_is_no_stall() -> None:
    assert stalls([60.0, 16.7, 33.4, 33.5, 120.0]) == [33.5, 120.0]
