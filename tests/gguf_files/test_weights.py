"""Are the weights of a file as large as planned, and reserved where they must be?"""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize

from synapse_perf.gguf_files.shapes import SHAPES, Shape, make_vocabulary
from synapse_perf.gguf_files.tensor_plan import PlannedTensor, plan_tensors
from synapse_perf.gguf_files.weights import Weights, llama3_rope_factors
from tests.gguf_files.small_models import TINY_LLAMA, TINY_QWEN, TINY_UNTIED


def data_of(shape: Shape, quant: str, role: str) -> tuple[PlannedTensor, np.ndarray]:
    tensor = next(each for each in plan_tensors(shape, quant) if each.role == role)
    content = b"".join(bytes(chunk) for chunk in Weights(shape, make_vocabulary(shape).held_back, 0).data(tensor))
    assert len(content) == tensor.size_bytes
    found = dequantize(np.frombuffer(content, dtype=np.uint8), gguf.GGMLQuantizationType[tensor.type])
    return tensor, found.reshape(-1, tensor.shape[0])


@pytest.mark.parametrize("quant", ["q4_k_m", "q8_0", "f16"])
def test_no_matrix_writes_to_the_reserved_element(quant: str) -> None:
    _, rows = data_of(TINY_QWEN, quant, "residual")
    assert not rows[0].any()
    assert rows[1:].any(axis=1).all()


@pytest.mark.parametrize("quant", ["q4_k_m", "q8_0", "f16"])
def test_held_back_tokens_carry_less_of_the_reserved_element_where_matrices_are_shared(quant: str) -> None:
    _, rows = data_of(TINY_QWEN, quant, "embedding")
    held_back = np.array(make_vocabulary(TINY_QWEN).held_back)
    ordinary, held = rows[~held_back, 0], rows[held_back, 0]
    assert (held > 0).all()
    assert (held < ordinary.min() / 3).all()


def test_held_back_tokens_carry_the_opposite_where_the_output_is_a_matrix_of_its_own() -> None:
    held_back = np.array(make_vocabulary(TINY_UNTIED).held_back)
    _, rows = data_of(TINY_UNTIED, "q4_k_m", "output")
    assert (rows[held_back, 0] < 0).all()
    assert (rows[~held_back, 0] > 0).all()
    _, inputs = data_of(TINY_UNTIED, "q4_k_m", "embedding")
    assert (inputs[:, 0] > 0).all()


def test_no_two_tokens_have_the_same_row() -> None:
    """Equal rows would tie their logits, and a sampler would always prefer the first."""
    _, rows = data_of(TINY_QWEN, "q4_k_m", "embedding")
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_output_norm_has_both_signs_and_one_large_element() -> None:
    _, rows = data_of(TINY_QWEN, "f16", "output-norm")
    assert rows[0, 0] > 50 * abs(rows[0, 1])
    assert 0.3 < (rows[0, 1:] > 0).mean() < 0.7


def test_an_encoder_has_no_reserved_element() -> None:
    _, rows = data_of(SHAPES["minilm-l6"], "q8_0", "embedding")
    assert np.unique(rows[:200, 0]).size > 50


def test_rotary_factors_of_llama_3_1_grow_from_1_to_8() -> None:
    """By hand for base 500000 and 128 per head: waves under 2048 keep 1, waves over 8192 get 8."""
    factors = llama3_rope_factors(500000.0, 128)
    assert len(factors) == TINY_LLAMA.head_size
    assert factors == sorted(factors)
    assert (factors[0], factors[28], factors[-1]) == (1.0, 1.0, 8.0)
    assert 1.0 < factors[29] < 8.0
    assert factors[35] == 8.0
