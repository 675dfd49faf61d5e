"""The time between two lines goes to the phase that the later line ends."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_perf.llama.load_log import read_load
from synapse_perf.llama.load_phases import LoadPhases, find_phases
from synapse_perf.llama.log_lines import LogLine, join_fragments, read_text
from synapse_perf.llama.log_loads import split_loads
from tests.llama.log_fixtures import lines_of, without
from tests.llama.small_models import Capture, Shape, as_timestamped_text, capture, write_model

TIMED = ["cpu-2026", "cuda-2024-b4343", "metal-2025-b4464", "metal-2025-b4707", "metal-2026", "vulkan-early-2026-b9849"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "small.gguf", Shape())


@pytest.fixture(scope="module")
def live(small: Path) -> Capture:
    """A load by the llama.cpp that is installed."""
    return capture(small, load_mode=1, n_ctx=512)


def milliseconds(phases: LoadPhases) -> dict[str, float]:
    return {name: round(seconds * 1000, 3) for name, seconds in phases.durations().items()}


def top_spans(phases: LoadPhases) -> list[tuple[str, int, int]]:
    return [span for span in phases.spans if "." not in span[0]]


def of_live(taken: Capture) -> LoadPhases:
    return find_phases(
        join_fragments(taken.fragments),
        call_start_ns=taken.call_start_ns,
        load_end_ns=taken.load_end_ns,
        context_start_ns=taken.context_start_ns,
        context_end_ns=taken.context_end_ns,
        progress=taken.progress,
    )


def test_a_live_log_gives_every_phase_and_no_drift(live: Capture) -> None:
    phases = of_live(live)
    assert phases.warnings == ()
    assert [name for name, _, _ in phases.spans] == [
        *("metadata", "vocabulary", "tensors", "tensors.allocation", "tensors.data"),
        *("context", "context.kv_cache", "context.graph"),
    ]
    assert all(seconds > 0 for seconds in phases.durations().values())


def test_the_phases_of_a_live_load_fill_both_calls(live: Capture) -> None:
    phases = of_live(live)
    calls_ns = (live.load_end_ns - live.call_start_ns) + (live.context_end_ns - live.context_start_ns)
    assert sum(end - start for _, start, end in top_spans(phases)) == calls_ns


def test_a_live_log_that_was_saved_gives_every_phase_too(live: Capture) -> None:
    phases = find_phases(read_text(as_timestamped_text(live)))
    assert phases.warnings == ()
    assert {"metadata", "vocabulary", "tensors", "context"} <= set(phases.durations())


def test_a_live_log_is_of_the_newest_era(live: Capture) -> None:
    assert of_live(live).era == "2026"


def test_the_reserve_that_llama_cpp_times_itself_is_within_the_context(small: Path) -> None:
    """To 2 ms, but where the processor was taken away between a clock and its line; so one load of a few counts."""
    apart_s: list[float] = []
    while min(apart_s, default=1.0) > 0.002:
        taken = capture(small, load_mode=1, n_ctx=512)
        reserve_s = read_load(join_fragments(taken.fragments)).context.reserve_s
        graph_s = of_live(taken).duration_s("context.graph")
        assert reserve_s is not None and graph_s is not None
        apart_s.append(abs(graph_s - reserve_s))
        assert len(apart_s) < 10, apart_s


def test_phases_of_an_m4_in_2025() -> None:
    """By hand from the stamps of the log: the shaders lie between 'using embedded' and 'GPU name'."""
    assert milliseconds(find_phases(lines_of("metal-2025-b4707"))) == {
        "start_up": 0.0,
        "device": 9.246,
        "metadata": 6.021,
        "vocabulary": 3.916,
        "tensors": 2.02,
        "tensors.allocation": 1.845,
        "tensors.data": 0.175,
        "context": 15.106,
        "context.device": 10.823,
        "context.shader_library": 2.655,
        "context.kv_cache": 0.605,
        "context.graph": 1.005,
        "warm_up": 4.053,
    }


def test_phases_of_a_v100_in_2024() -> None:
    """This build does not announce its tensors: the last line of the model's description ends the vocabulary."""
    found = milliseconds(find_phases(split_loads(lines_of("cuda-2024-b4343"))[0]))
    assert found["device"] == 278.731
    assert found["vocabulary"] == 93.041
    assert (found["tensors.allocation"], found["tensors.data"]) == (115.296, 329.94)
    assert found["warm_up"] == 67.083


def test_since_2026_metal_starts_before_the_load() -> None:
    found = milliseconds(find_phases(lines_of("metal-2026")))
    assert found["device.shader_library"] == 14639.1
    assert found["device_choice"] == 0.888
    assert "context.shader_library" not in found


def test_the_search_for_a_fit_is_a_phase_of_its_own() -> None:
    found = milliseconds(find_phases(lines_of("vulkan-early-2026-b9849")))
    assert found["fit"] == 10335.227
    assert found["tensors.data"] == 11369.67


def test_requests_after_the_start_are_no_part_of_it() -> None:
    phases = find_phases(lines_of("vulkan-early-2026-b9849"))
    assert phases.spans[-1][2] == 37_363_376_000


def test_the_time_until_a_failure_belongs_to_the_phase_that_failed() -> None:
    assert milliseconds(find_phases(lines_of("cuda-2026-out-of-memory")))["tensors"] > 1_419_000


@pytest.mark.parametrize("name", TIMED)
def test_spans_adjoin_and_parts_lie_within_their_phase(name: str) -> None:
    check_spans(find_phases(split_loads(lines_of(name))[0]))


def check_spans(phases: LoadPhases) -> None:
    tops = top_spans(phases)
    assert all(earlier[2] == later[1] for earlier, later in pairwise(tops))
    assert all(start <= end for _, start, end in phases.spans)
    whole = ("", 0, 0)
    for name, start, end in phases.spans:
        if "." in name:
            assert name.startswith(f"{whole[0]}.") and whole[1] <= start <= end <= whole[2]
        else:
            whole = (name, start, end)


def test_a_log_without_times_has_no_spans_and_says_nothing_of_drift() -> None:
    phases = find_phases(lines_of("cuda-2024-b2296"))
    assert (phases.spans, phases.warnings) == ((), ())


def test_progress_splits_the_copying_from_the_allocation() -> None:
    """Planted: the last buffer line at 2.298 ms, the first tensor read at 3 ms, the load's end at 5 ms."""
    lines = [LogLine(line.time_ns, line.level, line.text) for line in lines_of("cpu-2026")]
    lines = lines[: next(i for i, line in enumerate(lines) if "constructing" in line.text)]
    buffers_ns = next(line.time_ns or 0 for line in lines if "model buffer size" in line.text)
    first_ns, end_ns = buffers_ns + 700_000, buffers_ns + 2_700_000
    phases = find_phases(lines, call_start_ns=0, load_end_ns=end_ns, progress=[(first_ns, 0.0), (end_ns - 10, 1.0)])
    assert milliseconds(phases)["tensors.data"] == 2.0
    assert phases.warnings == ()


def test_lines_before_the_call_are_left_out() -> None:
    lines = [LogLine(1, 2, "ggml_metal_device_init: GPU name:   MTL0 (Apple M4)"), *lines_of("cpu-2026")]
    assert find_phases(lines, call_start_ns=10).spans[0][:2] == ("metadata", 10)


def test_time_between_the_two_calls_is_in_no_phase(live: Capture) -> None:
    phases = find_phases(
        join_fragments(live.fragments),
        call_start_ns=live.call_start_ns,
        load_end_ns=live.load_end_ns,
        context_start_ns=live.context_start_ns,
        context_end_ns=live.context_end_ns,
    )
    spans = {name: (start, end) for name, start, end in top_spans(phases)}
    assert (spans["tensors"][1], spans["context"][0]) == (live.load_end_ns, live.context_start_ns)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TIMED), st.data())
def test_whatever_lines_are_lost_or_doubled_the_spans_hold(name: str, data: st.DataObject) -> None:
    lines = lines_of(name)
    chosen = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=len(lines)))
    some = [lines[index] for index in sorted(chosen)]
    for load in split_loads(some):
        check_spans(find_phases(load))
        read_load(load)


def test_a_lost_phase_is_never_reported_as_zero() -> None:
    phases = find_phases(without(lines_of("cpu-2026"), "token to piece cache size"))
    assert phases.duration_s("vocabulary") is None
    assert "vocabulary" in phases.missing
