"""What is computed without loading is what llama.cpp allocates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.header import read_header
from synapse_perf.llama.kv_shape import KvLayer, KvShape, kv_shape
from synapse_perf.llama.load_log import LoadLog, read_load
from synapse_perf.llama.log_lines import join_fragments
from synapse_perf.llama.memory_fit import (
    BLOCKS,
    KvOptions,
    compute_bytes,
    kv_cache_bytes,
    largest_context,
    memory_need,
    padded_cells,
)
from synapse_perf.units import MIB
from tests.llama.small_models import KV_TYPES, Shape, capture, write_model

EIGHT_B = KvShape((KvLayer(1024, 1024, windowed=False),) * 32, None, upper_bound=False)  # Llama 3.1 8B


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def shape_of(path: Path) -> KvShape:
    shape = kv_shape(read_header(path))
    assert shape is not None
    return shape


def model(folder: Path, shape: Shape) -> Path:
    path = folder / f"{abs(hash(shape)):x}.gguf"
    return path if path.exists() else write_model(path, shape)


def said(path: Path, options: KvOptions, n_ctx: int, **more: Any) -> LoadLog:
    """What llama.cpp says of a context; simulated, it allocates nothing however large."""
    settings: dict[str, Any] = {
        "n_ctx": n_ctx,
        "load_mode": 0,  # a simulated load aborts with any mode that maps or locks
        "n_ubatch": options.n_ubatch,
        "swa_full": options.full_window,
        "n_seq_max": options.sequences,
        "type_k": KV_TYPES[options.type_k],
        "type_v": KV_TYPES[options.type_v],
        "flash_attn_type": 1,
    }
    return read_load(join_fragments(capture(path, **(settings | more)).fragments))


@pytest.mark.parametrize("n_ctx", [256, 1000, 4096, 100_000])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        (Shape(), KvOptions()),
        (Shape(layers=3, heads=8, kv_heads=8, head_size=64), KvOptions("q8_0", "q4_0")),
        (Shape(layers=5, heads=8, kv_heads=1, head_size=128), KvOptions("q5_1", "f32")),
        (Shape(), KvOptions(sequences=3)),
        (Shape("gemma3", layers=7, window=512), KvOptions()),
        (Shape("gemma3", layers=7, window=512), KvOptions(full_window=False)),
        (Shape("gemma3", layers=7, window=512), KvOptions(full_window=False, n_ubatch=64)),
    ],
)
def test_the_kv_cache_is_what_llama_cpp_would_allocate(
    folder: Path, shape: Shape, options: KvOptions, n_ctx: int
) -> None:
    path = model(folder, shape)
    log = said(path, options, n_ctx, no_alloc=True)
    expected = kv_cache_bytes(shape_of(path), n_ctx, options)
    # Each cache is printed to 0.01 MiB; the model of 7 layers has two.
    assert log.context.kv_bytes == pytest.approx(expected, abs=len(log.context.kv_caches) * 0.0051 * MIB)
    assert expected >= MIB // 10


@pytest.mark.parametrize("n_ctx", [512, 3000])
def test_the_kv_cache_is_what_llama_cpp_allocates(folder: Path, n_ctx: int) -> None:
    path = model(folder, Shape())
    log = said(path, KvOptions(), n_ctx)
    expected = kv_cache_bytes(shape_of(path), n_ctx)
    assert round(expected / MIB, 2) == round(log.placement.buffer_bytes("KV") / MIB, 2)
    assert not log.simulated


def test_a_simulated_load_says_the_same_compute_buffers_as_a_real_one(folder: Path) -> None:
    path = model(folder, Shape())
    real, simulated = said(path, KvOptions(), 2048), said(path, KvOptions(), 2048, no_alloc=True)
    assert real.placement.buffer_bytes("compute") == simulated.placement.buffer_bytes("compute") > 0
    assert real.context.kv_bytes == simulated.context.kv_bytes
    assert simulated.simulated


def test_a_simulated_load_reads_no_tensor(folder: Path) -> None:
    taken = capture(model(folder, Shape()), load_mode=0, no_alloc=True)
    assert taken.progress == []


def test_compute_buffers_between_two_measured_contexts_lie_on_their_line(folder: Path) -> None:
    path = model(folder, Shape(heads=8))
    ends = {
        n_ctx: said(path, KvOptions(), n_ctx, no_alloc=True).placement.buffer_bytes("compute")
        for n_ctx in (4096, 65536)
    }
    for n_ctx in (8192, 32768):
        actual = said(path, KvOptions(), n_ctx, no_alloc=True).placement.buffer_bytes("compute")
        assert compute_bytes(list(ends.items()), n_ctx) == pytest.approx(actual, rel=0.01)


def test_the_largest_context_fits_and_the_next_one_does_not(folder: Path) -> None:
    """llama.cpp's own figures at the context found, and one step above it, against the budget."""
    path = model(folder, Shape())
    measured = [
        (n_ctx, said(path, KvOptions(), n_ctx, no_alloc=True).placement.buffer_bytes("compute"))
        for n_ctx in (4096, 65536)
    ]
    budget, weights = 32 * MIB, 5 * MIB
    need = largest_context(shape_of(path), budget, weights, measured)
    assert need is not None
    at, above = (said(path, KvOptions(), n_ctx, no_alloc=True) for n_ctx in (need.n_ctx, need.n_ctx + 512))
    totals = [weights + (log.context.kv_bytes or 0) + log.placement.buffer_bytes("compute") for log in (at, above)]
    assert totals[0] <= budget + 0.02 * MIB < totals[1]


def test_a_known_model_by_hand() -> None:
    """Llama 3.1 8B: 32 layers x 2 x 1024 x 2 bytes = 128 KiB per token."""
    assert kv_cache_bytes(EIGHT_B, 8192) == 8192 * 128 * 1024
    assert kv_cache_bytes(EIGHT_B, 8192, KvOptions("q8_0", "q8_0")) == 8192 * 128 * 1024 * 34 // 64


def test_cells_are_rounded_up_to_256() -> None:
    assert [padded_cells(count) for count in (1, 256, 257)] == [256, 256, 512]
    assert kv_cache_bytes(EIGHT_B, 1) == kv_cache_bytes(EIGHT_B, 256)


def test_the_largest_context_by_hand() -> None:
    """1 GiB less weights and a constant compute buffer leaves 900 MiB: 7200 tokens at 128 KiB, in steps of 256."""
    need = largest_context(EIGHT_B, 1024 * MIB, 100 * MIB, [(512, 24 * MIB)])
    assert need is not None
    assert (need.n_ctx, need.kv_bytes) == (7168, 896 * MIB)
    assert need.total_bytes == 1020 * MIB


def test_no_context_fits_where_the_weights_do_not() -> None:
    assert largest_context(EIGHT_B, 10 * MIB, 100 * MIB, [(512, 0)]) is None


def test_more_than_the_trained_context_is_not_offered() -> None:
    need = largest_context(EIGHT_B, 1024**4, 0, [(512, 0)], n_ctx_train=4000)
    assert need is not None and need.n_ctx == 4000


@given(st.integers(1, 10**6), st.integers(1, 10**10), st.integers(0, 10**9), st.integers(0, 10**4))
def test_the_search_finds_the_largest(step: int, free: int, weights: int, slope: int) -> None:
    shape = KvShape((KvLayer(32, 32, windowed=False),), None, upper_bound=False)
    measured = [(256, 1000), (256 + step, 1000 + slope * step)]
    need = largest_context(shape, free, weights, measured, n_ctx_train=1 << 20)
    if need is None:
        assert memory_need(shape, 256, weights, measured).total_bytes > free
        return
    assert need.total_bytes <= free
    if need.n_ctx < 1 << 20:
        assert memory_need(shape, need.n_ctx + 256, weights, measured).total_bytes > free


def test_a_type_that_does_not_divide_a_row_is_refused_as_llama_cpp_refuses_it(folder: Path) -> None:
    path = model(folder, Shape(kv_heads=1, head_size=16))
    with pytest.raises(InputError, match="do not divide 16"):
        kv_cache_bytes(shape_of(path), 512, KvOptions("q8_0", "q8_0"))
    assert said(path, KvOptions("q8_0", "q8_0"), 512, no_alloc=True).errors


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        kv_cache_bytes(EIGHT_B, 512, KvOptions("q3_k"))
    assert re.search("q8_0.*q4_0", caught.value.remedy)


def test_block_sizes_are_ggmls_own() -> None:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    for name, block in BLOCKS.items():
        assert GGML_QUANT_SIZES[GGMLQuantizationType[name.upper()]] == block


def test_compute_buffers_need_a_measurement() -> None:
    with pytest.raises(ValueError, match="measured"):
        compute_bytes([], 512)
