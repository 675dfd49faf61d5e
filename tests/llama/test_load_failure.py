"""llama.cpp's own words become a kind of failure with a remedy."""

from __future__ import annotations

import pytest

from synapse_perf.llama.load_failure import explain


@pytest.mark.parametrize(
    "words",
    [
        "ggml_aligned_malloc: insufficient memory (attempted to allocate 260.00 MB)",
        "llama_model_load: error loading model: mmap failed: Cannot allocate memory",
        "llama_model_load: error loading model: unable to allocate CPU_REPACK buffer",
        "ggml_cuda: allocating 9000.00 MiB on device 0: cudaMalloc failed: out of memory",
        "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache",
        "llama_model_load: error loading model: std::bad_alloc",
    ],
)
def test_no_memory_left_is_a_kind_of_its_own(words: str) -> None:
    kind, remedy = explain(words)
    assert kind == "out-of-memory"
    assert "smaller context" in remedy


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("error loading model: unknown model architecture: 'qwen9'", "update llama-cpp-python"),
        ("tensor 'blk.0' data is not within the file bounds, model is corrupted or incomplete", "download it again"),
        ("llama_init_from_model: quantized V cache requires flash_attn to be enabled", "-fa on"),
        ("check_tensor_dims: tensor 'blk.0' has wrong shape; expected 1, got 2", "fetch it again"),
        ("error loading model vocabulary: unknown pre-tokenizer type: 'new'", "update llama-cpp-python"),
        ("gguf_init_from_file: failed to open GGUF file 'x' (No such file or directory)", "has gone"),
        ("something that nobody has seen yet", "--debug"),
    ],
)
def test_other_causes_are_errors_with_their_remedies(words: str, remedy: str) -> None:
    kind, told = explain(words)
    assert kind == "error"
    assert remedy in told
