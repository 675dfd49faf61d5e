"""Is a synthesised file what was asked for, the same each time, and whole or not there?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.header import read_header
from synapse_perf.gguf_files.shapes import SHAPES, Shape
from synapse_perf.gguf_files.synthesis import GENERATOR_VERSION, is_made, plan_file, synthesize
from tests.gguf_files.small_models import TINY_LLAMA, TINY_QWEN, TINY_UNTIED

ALL = [TINY_QWEN, TINY_UNTIED, TINY_LLAMA, SHAPES["minilm-l6"]]


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.name)
def test_the_header_says_the_shape_that_was_asked_for(tmp_path: Path, shape: Shape) -> None:
    header = read_header(synthesize(shape, "q8_0", tmp_path / "model.gguf"))
    assert header.architecture == shape.architecture
    assert (header.n_layer, header.n_embd, header.n_head, header.n_head_kv) == (
        shape.n_layer,
        shape.n_embd,
        shape.n_head,
        shape.n_head_kv,
    )
    assert (header.key_length, header.n_ff, header.n_ctx_train, header.n_vocab, header.file_type) == (
        shape.head_size,
        shape.n_ff,
        shape.n_ctx_train,
        shape.n_vocab,
        "Q8_0",
    )


def test_it_is_marked_as_a_sample_with_its_recipe(tmp_path: Path) -> None:
    header = read_header(synthesize(TINY_QWEN, "f16", tmp_path / "model.gguf", seed=5))
    assert header.is_sample
    assert header.made_by == f"tiny-qwen f16 seed 5 v{GENERATOR_VERSION}"


@pytest.mark.parametrize("quant", ["q4_k_m", "q8_0", "f16"])
@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.name)
def test_every_weight_is_finite(tmp_path: Path, shape: Shape, quant: str) -> None:
    header = read_header(synthesize(shape, quant, tmp_path / "model.gguf"))
    content = np.fromfile(header.path, dtype=np.uint8)[header.tensor_data_offset :]
    for tensor in header.tensors:
        data = content[tensor.offset : tensor.offset + tensor.size_bytes]
        assert np.isfinite(dequantize(data, gguf.GGMLQuantizationType[tensor.type])).all()


def test_the_same_seed_gives_the_same_file_and_another_gives_another(tmp_path: Path) -> None:
    digests = [sha256(synthesize(TINY_QWEN, "q4_k_m", tmp_path / "model.gguf", seed=seed)) for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_the_bytes_are_those_of_this_generator_version(tmp_path: Path) -> None:
    """If this fails on purpose, raise GENERATOR_VERSION, so that cached files are made again."""
    found = sha256(synthesize(TINY_QWEN, "q4_k_m", tmp_path / "model.gguf"))
    assert (GENERATOR_VERSION, found[:16]) == (2, "ee48389ff08067a1")


def test_progress_ends_at_the_size_of_the_file_and_never_goes_back(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = synthesize(
        TINY_QWEN, "q8_0", tmp_path / "model.gguf", observe=lambda done, total: seen.append((done, total))
    )
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_the_planned_size_is_the_size_of_the_file(tmp_path: Path) -> None:
    path = synthesize(TINY_LLAMA, "q4_k_m", tmp_path / "model.gguf")
    assert plan_file(TINY_LLAMA, "q4_k_m", 0).size_bytes == path.stat().st_size


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(TINY_QWEN, "q8_0", tmp_path / "model.gguf", observe=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_it_did_not_make_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"precious")
    with pytest.raises(InputError, match="not made by this tool"):
        synthesize(TINY_QWEN, "q8_0", path)
    assert path.read_bytes() == b"precious"


def test_its_own_file_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    for seed in (1, 2):
        synthesize(TINY_QWEN, "q8_0", path, seed=seed)
    assert is_made(TINY_QWEN, "q8_0", path, 2)
    assert not is_made(TINY_QWEN, "q8_0", path, 1)


def test_a_cut_off_file_does_not_count_as_made(tmp_path: Path) -> None:
    path = synthesize(TINY_QWEN, "q8_0", tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_made(TINY_QWEN, "q8_0", path, 0)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
