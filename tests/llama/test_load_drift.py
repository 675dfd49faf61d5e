"""A line that a load always prints is missed when it is gone, and only then."""

from __future__ import annotations

import pytest

from synapse_perf.llama.load_drift import NO_LOAD_LINES
from synapse_perf.llama.load_phases import find_phases
from synapse_perf.llama.log_lines import LogLine, read_text
from synapse_perf.llama.log_loads import split_loads
from tests.llama.log_fixtures import lines_of, without

WHOLE = ["cpu-2026", "cuda-2024-b2296", "metal-2024-b2296", "metal-2025-b4464", "metal-2025-b4707", "metal-2026"]


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_log_of_any_era_has_no_drift(name: str) -> None:
    assert find_phases(lines_of(name)).warnings == ()


@pytest.mark.parametrize(
    ("gone", "phase", "where"),
    [
        ("loaded meta data", "metadata", "the time of metadata is in vocabulary"),
        ("token to piece", "vocabulary", "the time of vocabulary is in tensors"),
        ("loading model tensors", "tensors", "the time of tensors is in vocabulary"),
        ("model buffer size", "tensors.allocation", "cannot be told from the rest of tensors"),
        ("KV buffer size", "context.kv_cache", "cannot be told from the rest of context"),
        ("compute buffer size", "context.graph", "cannot be told from the rest of context"),
        ("llama_context: ", "context", "the time of context is in tensors"),
    ],
)
def test_a_vanished_line_is_named_with_the_phase_that_has_its_time(gone: str, phase: str, where: str) -> None:
    lines = without(lines_of("cpu-2026"), gone)
    if phase == "context.kv_cache":
        lines = without(lines, "llama_kv_cache: size")
    phases = find_phases(lines)
    assert phases.missing == (phase,)
    (warning,) = phases.warnings
    assert where in warning
    assert phases.duration_s(phase) is None


@pytest.mark.parametrize("gone", ["token to piece", "loading model tensors", "model buffer size"])
def test_no_time_is_lost_with_a_vanished_line(gone: str) -> None:
    whole = find_phases(lines_of("cpu-2026"))
    less = find_phases(without(lines_of("cpu-2026"), gone))
    assert (less.spans[0][1], less.spans[-1][2]) == (whole.spans[0][1], whole.spans[-1][2])


def test_an_encoder_needs_no_kv_cache() -> None:
    lines = [
        LogLine(line.time_ns, line.level, line.text.replace("causal attn           = 1", "causal attn           = 0"))
        for line in without(lines_of("cpu-2026"), "llama_kv_cache")
    ]
    assert find_phases(lines).warnings == ()


def test_nothing_is_expected_behind_a_failure() -> None:
    lines = lines_of("cpu-2026")[:30]
    lines.append(
        LogLine(9_000_000, 4, "llama_model_load: error loading model: tensor 'x' data is not within the file bounds")
    )
    assert find_phases(lines).warnings == ()


def test_a_log_that_ends_early_says_so_once() -> None:
    phases = find_phases(split_loads(lines_of("cuda-2024-b4343"))[1])
    assert phases.warnings == ("the log ends before the tensors of this load",)
    assert "tensors" in phases.missing


def test_a_server_log_at_its_usual_verbosity_gets_the_remedy() -> None:
    text = "0.00.100.000 I srv  llama_server: model loaded\n0.00.200.000 I srv  update_slots: all slots are idle\n"
    assert find_phases(read_text(text)).warnings == (NO_LOAD_LINES,)


def test_a_vocabulary_only_load_has_no_tensors_to_miss() -> None:
    lines = lines_of("cpu-2026")
    begin = next(index for index, line in enumerate(lines) if "loading model tensors" in line.text)
    lines = [*lines[:begin], LogLine(9_000_000, 2, "llama_model_load: vocab only - skipping tensors")]
    assert find_phases(lines).warnings == ()


def test_a_call_without_a_context_expects_none() -> None:
    lines = lines_of("cpu-2026")
    begin = next(index for index, line in enumerate(lines) if "constructing" in line.text)
    assert find_phases(lines[:begin], call_start_ns=0, load_end_ns=3_000_000).warnings == ()
