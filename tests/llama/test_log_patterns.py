"""Every pattern finds its line, and each era is known by its wording."""

from __future__ import annotations

import pytest

from synapse_perf.llama.log_lines import LEVEL_ERROR, LogLine
from synapse_perf.llama.log_patterns import ERAS, KINDS, LONGEST, PATTERNS, find_era, find_events
from tests.llama.log_fixtures import NAMES, lines_of

# What no fixture has, in the wording of llama.cpp's sources or of public logs.
MORE_LINES = {
    "splits": "llama_model_loader: additional 1 GGUFs metadata loaded.",
    "vocabulary_only": "llama_model_load: vocab only - skipping tensors",
    "partial": "done_getting_tensors: partial load \u2014 used 18 of 866 tensors in the file (rest ...)",
    "direct_io_fallback": "Failed to open file 'm.gguf' with error: Invalid argument. Falling back to buffered I/O",
    "cancelled": "llama_model_load_from_file_impl: cancelled model load",
    "full_window": "llama_kv_cache_iswa: using full-size SWA cache (ref: https://github.com)",
    "backend_loaded": "load_backend: loaded CUDA backend from /usr/lib/libggml-cuda.so",
}


def kinds_of(text: str) -> list[str]:
    return [event.kind for event in find_events([LogLine(None, None, text)])]


def test_every_kind_is_found_in_some_log() -> None:
    found = {event.kind for name in NAMES for event in find_events(lines_of(name))}
    assert KINDS - found - set(MORE_LINES) == set()


@pytest.mark.parametrize(("kind", "text"), MORE_LINES.items())
def test_a_rare_line_is_found(kind: str, text: str) -> None:
    assert kinds_of(text) == [kind]


def test_every_pattern_can_match_where_its_needle_is() -> None:
    """A needle that is no part of what the pattern matches would hide the line."""
    texts = [line.text for name in NAMES for line in lines_of(name)]
    texts += [*MORE_LINES.values(), *(text for text, _, _ in CAPTURED)]
    texts.append("llama_kv_cache_iswa: creating     SWA KV cache, size = 1024 cells")
    matched = {
        pattern for text in texts for pattern in PATTERNS if pattern.needle in text and pattern.regex.search(text)
    }
    assert [pattern.needle for pattern in PATTERNS if pattern not in matched] == []


KV_2025 = "llama_context_kv_self: KV self size  =    9.00 MiB, K (f16):    4.50 MiB, V (q8_0):    4.50 MiB"
GRAPH_2026 = "sched_reserve: graph (pp bs=512, tg bs=1): nodes = 10 / 12, splits = 3 / 2, input objects = 1 / 1"
CAPTURED: list[tuple[str, str, tuple[str | None, ...]]] = [
    (
        "load_tensors: RPC0[127.0.0.1:9555] model buffer size =   244.33 MiB",
        "buffer",
        ("RPC0[127.0.0.1:9555]", "model", "244.33"),
    ),
    ("llm_load_tensors:      CUDA0 buffer size =  5434.38 MiB", "buffer", ("CUDA0", " ", "5434.38")),
    ("init: graph splits = 4 (with bs=512), 2 (with bs=1)", "graph_splits", ("4",)),
    (KV_2025, "kv_total", ("9.00", None, None, "f16", "4.50", "q8_0", "4.50")),
    ("ggml_vulkan: 0 = Radeon 8060S (GFX1151) (radv) | uma: 1 |", "gpu_listed", ("0", "Radeon 8060S (GFX1151)")),
    ("ggml_metal_library_init: loaded in 7.138 sec", "shaders_done", (None, None, "7.138")),
    ("ggml_metal_library_init_from_source: compiled in 3.2 sec", "shaders_done", ("", "", "3.2")),
    (GRAPH_2026, "graph", ("10", "3")),
    ("warning: mlock not supported on this system", "mlock_failed", ("mlock", "not", "supported on this system")),
    ("llama_load_model_from_file: failed to load model", "error", ("failed to load model",)),
]


@pytest.mark.parametrize(("text", "kind", "groups"), CAPTURED)
def test_a_wording_is_captured(text: str, kind: str, groups: tuple[str | None, ...]) -> None:
    (event,) = find_events([LogLine(None, None, text)])
    assert (event.kind, event.groups) == (kind, groups)


def test_an_error_in_words_never_seen_is_told_by_its_level() -> None:
    (event,) = find_events([LogLine(None, LEVEL_ERROR, "ggml_new: something else went wrong")])
    assert (event.kind, event.group(0)) == ("error", "ggml_new: something else went wrong")


def test_a_very_long_line_is_cut_before_it_is_searched() -> None:
    (event,) = find_events([LogLine(None, None, "print_info: arch = " + "x" * 10**6)])
    assert len(event.text) == LONGEST


@pytest.mark.parametrize(
    ("name", "era"),
    [
        ("cuda-2024-b2296", "2024"),
        ("cuda-2024-b4343", "2024"),
        ("metal-2024-b2296", "2024"),
        ("metal-2025-b4464", "2025"),
        ("metal-2025-b4707", "2025"),
        ("rocm-early-2026", "early 2026"),
        ("vulkan-early-2026-b9849", "early 2026"),
        ("cpu-2026", "2026"),
        ("cuda-2026-out-of-memory", "2026"),
        ("metal-2026", "2026"),
    ],
)
def test_the_era_is_known_by_the_wording(name: str, era: str) -> None:
    assert find_era(lines_of(name)) == era
    assert era in ERAS


def test_a_log_of_something_else_has_no_era() -> None:
    assert find_era([LogLine(None, None, "INFO:     Uvicorn running on http://localhost:8000")]) is None
