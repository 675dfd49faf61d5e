"""Are the bytes that one token reads those of the matrices that a decode multiplies?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.gguf_files.header import GgufHeader, read_header
from synapse_perf.gguf_files.tensors import TensorInfo
from synapse_perf.gguf_files.weights_read import weights_read
from tests.gguf_files.small_models import TINY_QWEN, TINY_UNTIED
from tests.llama.starts import make


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> GgufHeader:
    return read_header(make(tmp_path_factory.mktemp("tied"), TINY_QWEN))


def tensor(name: str, rows: int, row_bytes: int) -> TensorInfo:
    return TensorInfo(name, (row_bytes, rows), "I8", 0, rows * row_bytes)


def with_tensors(header: GgufHeader, *tensors: TensorInfo, **facts: int) -> GgufHeader:
    metadata = {f"{header.architecture}.{name}": value for name, value in facts.items()}
    return replace(header, tensors=tensors, metadata=metadata, expert_count=facts.get("expert_count"))


def test_embeddings_that_are_the_output_matrix_as_well_are_read_whole(tied: GgufHeader) -> None:
    read = weights_read(tied)

    assert read is not None
    assert read.bytes == sum(one.size_bytes for one in tied.tensors)
    (embedding,) = (one for one in tied.tensors if one.name == "token_embd.weight")
    assert read.output_elements == embedding.elements


def test_of_embeddings_beside_an_output_matrix_one_row_is_read(tmp_path: Path) -> None:
    header = read_header(make(tmp_path, TINY_UNTIED))
    sizes = {one.name: one.size_bytes for one in header.tensors}
    row = sizes["token_embd.weight"] // TINY_UNTIED.n_vocab

    read = weights_read(header)
    assert read is not None
    assert read.bytes == sum(sizes.values()) - sizes["token_embd.weight"] + row


def test_of_the_experts_those_are_read_that_a_token_is_sent_to(tied: GgufHeader) -> None:
    tensors = (
        tensor("token_embd.weight", 100, 10),
        tensor("output.weight", 100, 10),
        tensor("blk.0.ffn_gate_inp.weight", 8, 10),
        tensor("blk.0.ffn_up_exps.weight", 80, 10),
        tensor("blk.0.ffn_up_shexp.weight", 5, 10),
    )
    read = weights_read(with_tensors(tied, *tensors, expert_count=8, expert_used_count=2))

    assert read is not None
    assert read.bytes == 10 + 1000 + 80 + 800 * 2 // 8 + 50
    assert (read.experts_used, read.experts) == (2, 8)


def test_a_file_that_does_not_tell_how_many_experts_are_used_is_not_guessed_at(tied: GgufHeader) -> None:
    assert weights_read(with_tensors(tied, tensor("output.weight", 1, 1), expert_count=8)) is None


def test_layers_that_only_draft_and_an_encoders_part_are_not_read(tied: GgufHeader) -> None:
    last = (tied.n_layer or 0) - 1
    tensors = (
        tensor("output.weight", 3, 10),
        tensor("blk.0.attn_q.weight", 4, 10),
        tensor(f"blk.{last}.attn_q.weight", 5, 10),
        tensor("enc.blk.0.attn_q.weight", 6, 10),
    )
    read = weights_read(with_tensors(tied, *tensors, nextn_predict_layers=1))

    assert read is not None
    assert read.bytes == 70
