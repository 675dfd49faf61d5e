"""Each piece of advice is given where its cause is planted, and nowhere else."""

from __future__ import annotations

import pytest

from synapse_perf.llama.load_advice import RULES, advice
from synapse_perf.llama.load_log import read_load
from synapse_perf.llama.load_phases import find_phases
from synapse_perf.llama.log_lines import LogLine, read_text
from synapse_perf.model import Finding
from synapse_perf.units import MIB
from tests.llama.log_fixtures import lines_of

GPU = "x: using device MTL0 (Apple M4) (unknown id) - 10922 MiB free"
ON_CPU = "load_tensors:   CPU_Mapped model buffer size =   871.83 MiB"
WINDOW_LINES = """\
print_info: n_swa                 = 512
llama_context: n_ctx                 = 131072
llama_context: n_ubatch              = 512
llama_kv_cache_iswa: using full-size SWA cache (ref: https://github.com)
llama_kv_cache: size = 1024.00 MiB (131072 cells,   4 layers,  1/1 seqs), K (f16):  512.00 MiB, V (f16):  512.00 MiB
llama_kv_cache: size = 5120.00 MiB (131072 cells,  20 layers,  1/1 seqs), K (f16): 2560.00 MiB, V (f16): 2560.00 MiB
"""
REPACKED = """\
0.00.100.000 I load_tensors: loading model tensors, this can take a while... (load_mode = mmap)
0.00.200.000 I load_tensors:   CPU_REPACK model buffer size =  1000.00 MiB
0.01.200.000 I llama_context: constructing llama_context
"""


def given(lines: list[LogLine]) -> dict[str, Finding]:
    return {finding.id: finding for finding in advice(read_load(lines), find_phases(lines))}


def given_words(*words: str) -> dict[str, Finding]:
    return given([LogLine(None, None, text) for text in words])


def test_a_log_of_a_small_model_on_a_cpu_needs_no_advice() -> None:
    assert given(lines_of("cpu-2026")) == {}


def test_a_good_load_on_a_gpu_needs_no_advice() -> None:
    assert given(lines_of("metal-2025-b4464")) == {}


def test_a_gpu_that_is_not_used_is_pointed_at() -> None:
    found = given_words(GPU, "load_tensors: offloaded 0/25 layers to GPU", ON_CPU)["gpu-not-used"]
    assert found.severity == "high"
    assert found.evidence == {"device": "MTL0", "free_bytes": 10922 * MIB, "layers_offloaded": 0, "layers": 25}
    assert found.change == "Llama(n_gpu_layers=-1); llama-server: -ngl 99"


def test_no_gpu_no_advice_to_use_one() -> None:
    assert "gpu-not-used" not in given_words("load_tensors: offloaded 3/3 layers to GPU", ON_CPU)


def test_a_gpu_with_some_of_the_layers() -> None:
    found = given(lines_of("vulkan-early-2026-b9849"))
    assert found["gpu-partly-used"].evidence["layers_offloaded"] == 20
    assert found["gpu-partly-used"].evidence["weights_on_cpu_bytes"] == round(2286.14 * MIB)


def test_the_search_for_a_fit_names_the_flags_that_save_it() -> None:
    found = given(lines_of("vulkan-early-2026-b9849"))["fit-search"]
    assert "-fit off -ngl 20 -c 8192" in found.change
    assert found.gain is not None and found.gain.value == pytest.approx(10.335, abs=0.001)
    assert not found.gain.measured


def test_a_first_start_on_metal_finds_all_that_is_wrong_with_it() -> None:
    """Planted in the written log: cold shaders, a failed lock, too much memory, a KV cache twice the weights."""
    found = given(lines_of("metal-2026"))
    assert set(found) == {"shaders-compiled", "metal-over-committed", "mlock-not-effective", "kv-cache-large"}
    assert found["shaders-compiled"].evidence["seconds"] == 14.639
    assert found["metal-over-committed"].evidence["limit_bytes"] == 17_179_890_000


def test_the_severest_advice_comes_first() -> None:
    lines = lines_of("metal-2026")
    order = [finding.severity for finding in advice(read_load(lines), find_phases(lines))]
    assert order == ["high", "high", "medium", "medium"]


def test_a_large_kv_cache_says_what_a_smaller_type_saves() -> None:
    found = given(lines_of("metal-2026"))["kv-cache-large"]
    assert found.evidence["kv_bytes"] == 4608 * MIB
    assert found.evidence["kv_as_q8_0_bytes"] == 4608 * MIB * 34 // 64
    assert found.gain is not None and found.gain.value == 4608 * MIB * 30 // 64
    assert "type_k=8" in found.change and "-ctk q8_0" in found.change and "n_ctx=16384" in found.change


def test_a_window_kept_at_full_size_says_what_its_own_size_saves() -> None:
    found = given(read_text(WINDOW_LINES))["window-cache-full-size"]
    assert found.gain is not None and found.gain.value == 5120 * MIB * (1 - 1024 / 131072)
    assert "swa_full=False" in found.change


def test_a_vocabulary_that_takes_most_of_the_load() -> None:
    lines = [
        LogLine((line.time_ns or 0) + (10**9 if "token to piece" in line.text else 0), line.level, line.text)
        for line in lines_of("cpu-2026")
    ]
    begin = next(index for index, line in enumerate(lines) if "token to piece" in line.text)
    lines[begin + 1 :] = [LogLine((line.time_ns or 0) + 10**9, line.level, line.text) for line in lines[begin + 1 :]]
    found = given(lines)["vocabulary-bound"]
    assert found.evidence["seconds"] > 1
    assert found.evidence["n_vocab"] == 300


def test_weights_that_were_copied_on_a_cpu() -> None:
    begin = "load_tensors: loading model tensors, this can take a while... (load_mode = none)"
    found = given_words(begin, "load_tensors:          CPU model buffer size =   871.83 MiB")["mmap-off"]
    assert found.evidence["copied_bytes"] == round(871.83 * MIB)
    assert "use_mmap=True" in found.change


def test_copying_to_a_gpu_is_no_fault() -> None:
    assert "mmap-off" not in given(lines_of("rocm-early-2026"))


def test_direct_io_that_fell_back() -> None:
    begin = "load_tensors: loading model tensors, this can take a while... (load_mode = dio)"
    assert "direct-io-not-effective" in given_words("open failed. Falling back to buffered I/O", begin)


def test_overrides_with_a_mapped_file() -> None:
    assert "overrides-with-mmap" in given(lines_of("cuda-2026-out-of-memory"))


def test_weights_rewritten_for_the_cpu() -> None:
    found = given(read_text(REPACKED))["weights-repacked"]
    assert found.evidence == {"repacked_bytes": 1000 * MIB, "copy_s": pytest.approx(1.0)}


def test_an_empty_log_gives_no_advice() -> None:
    assert given([]) == {}


def test_every_rule_was_seen_to_speak() -> None:
    causes = [
        *(given(lines_of(name)) for name in ("metal-2026", "vulkan-early-2026-b9849", "cuda-2026-out-of-memory")),
        given(read_text(WINDOW_LINES)),
        given(read_text(REPACKED)),
        given_words(GPU, ON_CPU),
        given_words(
            "loading model tensors, this can take a while... (load_mode = none)", "CPU model buffer size = 1.00 MiB"
        ),
        given_words("Falling back to buffered I/O"),
    ]
    spoken = {identity for found in causes for identity in found} | {"vocabulary-bound"}
    assert len(spoken) == len(RULES)


@pytest.mark.parametrize("name", ["metal-2026", "vulkan-early-2026-b9849", "cuda-2026-out-of-memory"])
def test_every_finding_says_cause_change_and_check(name: str) -> None:
    for finding in given(lines_of(name)).values():
        assert finding.cause and finding.evidence and finding.change and finding.check
