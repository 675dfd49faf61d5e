"""The shape of a KV cache follows from the header, as llama.cpp lays it out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.gguf_files.header import GgufHeader
from synapse_perf.llama.kv_shape import KvLayer, KvShape, kv_shape

PLAIN = GgufHeader(
    path=Path("m.gguf"),
    size_bytes=0,
    gguf_version=3,
    architecture="llama",
    name=None,
    file_type=None,
    tensors=(),
    tensor_data_offset=0,
    parameters=0,
    n_layer=2,
    n_embd=64,
    n_head=4,
    n_head_kv=2,
    key_length=16,
    value_length=16,
    n_ff=None,
    n_ctx_train=None,
    n_vocab=None,
    tokenizer_model=None,
    sliding_window=None,
    expert_count=None,
    split_count=1,
    parts=(),
    metadata={},
    digest="",
)


def shape_of(header: GgufHeader) -> KvShape:
    shape = kv_shape(header)
    assert shape is not None
    return shape


def test_grouped_queries_share_the_rows_of_fewer_heads() -> None:
    assert shape_of(PLAIN) == KvShape((KvLayer(32, 32, windowed=False),) * 2, None, upper_bound=False)


def test_heads_may_differ_from_layer_to_layer() -> None:
    assert [layer.k_width for layer in shape_of(replace(PLAIN, n_head_kv=(2, 4))).layers] == [32, 64]


@pytest.mark.parametrize(
    ("architecture", "n_layer", "dense"),
    [("gemma2", 4, [1, 3]), ("gemma3", 7, [5]), ("gpt-oss", 4, [1, 3]), ("cohere2", 8, [3, 7])],
)
def test_windows_lie_where_llama_cpp_puts_them(architecture: str, n_layer: int, dense: list[int]) -> None:
    shape = shape_of(replace(PLAIN, architecture=architecture, n_layer=n_layer, sliding_window=512))
    assert [number for number, layer in enumerate(shape.layers) if not layer.windowed] == dense
    assert (shape.window, shape.upper_bound) == (512, False)


def test_a_period_in_the_file_wins() -> None:
    header = replace(PLAIN, architecture="gemma3", n_layer=4, sliding_window=512)
    header = replace(header, metadata={"gemma3.attention.sliding_window_pattern": 2})
    assert [layer.windowed for layer in shape_of(header).layers] == [True, False, True, False]


def test_a_window_of_an_architecture_not_known_gives_an_upper_bound() -> None:
    shape = shape_of(replace(PLAIN, architecture="newcomer", sliding_window=512))
    assert (shape.window, shape.upper_bound) == (None, True)


def test_latent_attention_keeps_no_values() -> None:
    header = replace(PLAIN, architecture="deepseek2", n_head_kv=1, key_length=576, value_length=512)
    header = replace(header, metadata={"deepseek2.attention.key_length_mla": 192})
    assert shape_of(header).layers[0] == KvLayer(576, 0, windowed=False)


def test_an_encoder_has_no_cache() -> None:
    assert shape_of(replace(PLAIN, architecture="bert")).layers == ()


@pytest.mark.parametrize(
    "header",
    [
        replace(PLAIN, architecture="mamba", metadata={"mamba.ssm.state_size": 16}),
        replace(PLAIN, n_head_kv=None),
        replace(PLAIN, n_layer=None),
        replace(PLAIN, n_head_kv=(2, 4, 8)),
    ],
)
def test_what_the_file_does_not_tell_is_not_guessed(header: GgufHeader) -> None:
    assert kv_shape(header) is None
