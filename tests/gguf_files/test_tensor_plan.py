"""Do planned models have the tensors, types and sizes of the published ones?"""

from __future__ import annotations

from collections import Counter

import pytest

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.shapes import SHAPES, find_shape
from synapse_perf.gguf_files.tensor_plan import check_quant, plan_tensors

# Parameters as llama.cpp prints them for the published files; Llama's include its 64 rotary factors.
PARAMETERS = {
    "qwen3-0.6b": 596_049_920,
    "qwen3-4b": 4_022_468_096,
    "qwen3-8b": 8_190_735_360,
    "llama-3.1-8b": 8_030_261_312,
    "minilm-l6": 22_565_376,
}


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_shape_has_the_parameters_of_its_model(name: str) -> None:
    assert sum(elements(tensor.shape) for tensor in plan_tensors(SHAPES[name], "f16")) == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("llama-3.1-8b", {"F32": 66, "Q4_K": 193, "Q6_K": 33}),
        ("qwen3-8b", {"F32": 145, "Q4_K": 217, "Q6_K": 37}),
        ("qwen3-4b", {"F32": 145, "Q4_K": 216, "Q6_K": 37}),
        ("qwen3-0.6b", {"F32": 113, "Q4_K": 168, "Q6_K": 29}),
    ],
)
def test_q4_k_m_has_as_many_tensors_of_each_type_as_llama_quantize_makes(name: str, types: dict[str, int]) -> None:
    assert Counter(tensor.type for tensor in plan_tensors(SHAPES[name], "q4_k_m")) == types


@pytest.mark.parametrize(
    ("name", "quant", "published_bytes"),
    [
        ("qwen3-0.6b", "q8_0", 639_446_688),
        ("qwen3-4b", "q4_k_m", 2_497_280_256),
        ("qwen3-8b", "q4_k_m", 5_027_783_488),
        ("llama-3.1-8b", "q4_k_m", 4_920_739_232),
    ],
)
def test_a_file_is_as_large_as_the_published_one(name: str, quant: str, published_bytes: int) -> None:
    """The published sizes include about 6 to 8 MB of header, which the plan of the tensors leaves out."""
    tensor_bytes = sum(tensor.padded_bytes for tensor in plan_tensors(SHAPES[name], quant))
    assert 5_000_000 < published_bytes - tensor_bytes < 9_000_000


def test_rows_that_no_whole_k_blocks_fill_fall_back() -> None:
    types = {tensor.name: tensor.type for tensor in plan_tensors(SHAPES["minilm-l6"], "q4_k_m")}
    assert types["token_embd.weight"] == "Q8_0"
    assert types["blk.0.attn_q.weight"] == "Q5_0"
    assert types["blk.1.ffn_down.weight"] == "Q4_K"
    assert types["position_embd.weight"] == "F32"


def test_an_unknown_quantisation_or_shape_lists_the_known_ones() -> None:
    with pytest.raises(InputError) as quant:
        check_quant("q3_k")
    with pytest.raises(InputError) as shape:
        find_shape("gpt-5")
    assert "q4_k_m" in quant.value.remedy
    assert "qwen3-4b" in shape.value.remedy


def test_names_of_quantisations_and_shapes_may_be_in_capitals() -> None:
    assert check_quant("Q4_K_M") == "q4_k_m"
    assert find_shape("Qwen3-4B") is SHAPES["qwen3-4b"]


def elements(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product
