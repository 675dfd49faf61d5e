"""Which tensors does a model of a shape have, in which types does llama.cpp store them, and what goes into each?

The types follow llama-quantize without an importance matrix: llama_tensor_get_type_impl and tensor_type_fallback in
llama.cpp's src/llama-quant.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.formats import DEFAULT_ALIGNMENT, FILE_TYPE_NUMBERS, TENSOR_TYPE_NUMBERS, TENSOR_TYPES
from synapse_perf.gguf_files.shapes import Shape

QUANTS = ("q4_k_m", "q8_0", "f16")
_DEFAULT_TYPES = {"q4_k_m": "Q4_K", "q8_0": "Q8_0", "f16": "F16"}
# What a matrix becomes when whole blocks of its type do not fill its rows.
_FALLBACKS = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}

# embedding, output: the token matrices; residual: a matrix that writes to the residual stream; table: a small F32 one.
Role = Literal["embedding", "output", "matrix", "residual", "table", "norm", "output-norm", "bias", "rope-factors"]


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """One tensor; `shape` has the row length first, `layer` is None outside the layers."""

    name: str
    shape: tuple[int, ...]
    role: Role
    layer: int | None = None
    type: str = "F32"

    @property
    def type_number(self) -> int:
        return TENSOR_TYPE_NUMBERS[self.type]

    @property
    def row_bytes(self) -> int:
        return TENSOR_TYPES[self.type_number].row_bytes(self.shape[0])

    @property
    def size_bytes(self) -> int:
        return self.row_bytes * prod(self.shape[1:])

    @property
    def padded_bytes(self) -> int:
        """With the filler that aligns the next tensor."""
        return -(-self.size_bytes // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT


def check_quant(name: str) -> str:
    """The quantisation's name in lower case; InputError names those there are."""
    quant = name.lower()
    if quant not in QUANTS:
        raise InputError(f"there is no quantisation '{name}'", f"choose one of {', '.join(QUANTS)}")
    return quant


def file_type_number(quant: str) -> int:
    return FILE_TYPE_NUMBERS[quant.upper()]


def plan_tensors(shape: Shape, quant: str) -> list[PlannedTensor]:
    """All tensors with their types, in the order of a file that llama-quantize wrote: by layer, then by name."""
    tensors = list(_encoder_tensors(shape) if shape.architecture == "bert" else _decoder_tensors(shape))
    tensors.sort(key=lambda tensor: (-1 if tensor.layer is None else tensor.layer, tensor.name))
    return [
        PlannedTensor(each.name, each.shape, each.role, each.layer, _tensor_type(each, shape, quant))
        for each in tensors
    ]


def _tensor_type(tensor: PlannedTensor, shape: Shape, quant: str) -> str:
    if tensor.role not in ("embedding", "output", "matrix", "residual"):
        return "F32"
    row = tensor.shape[0]
    kind = _DEFAULT_TYPES[quant]
    if kind == "Q4_K":
        kind = _k_quant_type(tensor, shape)
    if row % TENSOR_TYPES[TENSOR_TYPE_NUMBERS[kind]].block_elements:
        kind = _FALLBACKS.get(kind, "F16")
    return kind if row % TENSOR_TYPES[TENSOR_TYPE_NUMBERS[kind]].block_elements == 0 else "F16"


def _k_quant_type(tensor: PlannedTensor, shape: Shape) -> str:
    """Q4_K_M: more bits for the output matrix, and for attention values and the way down in some layers."""
    if tensor.role == "output" or (tensor.role == "embedding" and shape.tied):
        return "Q6_K"
    sensitive = tensor.name.endswith(("attn_v.weight", "ffn_down.weight"))
    return "Q6_K" if sensitive and _gets_more_bits(tensor.layer or 0, shape.n_layer) else "Q4_K"


def _gets_more_bits(layer: int, layers: int) -> bool:
    """The first and the last eighth of the layers, and every third in between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _decoder_tensors(shape: Shape) -> Iterator[PlannedTensor]:
    width, queries, values = shape.n_embd, shape.n_head * shape.head_size, shape.n_head_kv * shape.head_size
    yield PlannedTensor("token_embd.weight", (width, shape.n_vocab), "embedding")
    yield PlannedTensor("output_norm.weight", (width,), "output-norm")
    if not shape.tied:
        yield PlannedTensor("output.weight", (width, shape.n_vocab), "output")
    if shape.architecture == "llama":
        yield PlannedTensor("rope_freqs.weight", (shape.head_size // 2,), "rope-factors")
    for layer in range(shape.n_layer):
        block = f"blk.{layer}"
        yield PlannedTensor(f"{block}.attn_norm.weight", (width,), "norm", layer)
        yield PlannedTensor(f"{block}.attn_q.weight", (width, queries), "matrix", layer)
        yield PlannedTensor(f"{block}.attn_k.weight", (width, values), "matrix", layer)
        yield PlannedTensor(f"{block}.attn_v.weight", (width, values), "matrix", layer)
        yield PlannedTensor(f"{block}.attn_output.weight", (queries, width), "residual", layer)
        yield PlannedTensor(f"{block}.ffn_norm.weight", (width,), "norm", layer)
        yield PlannedTensor(f"{block}.ffn_gate.weight", (width, shape.n_ff), "matrix", layer)
        yield PlannedTensor(f"{block}.ffn_up.weight", (width, shape.n_ff), "matrix", layer)
        yield PlannedTensor(f"{block}.ffn_down.weight", (shape.n_ff, width), "residual", layer)
        if shape.architecture == "qwen3":
            yield PlannedTensor(f"{block}.attn_q_norm.weight", (shape.head_size,), "norm", layer)
            yield PlannedTensor(f"{block}.attn_k_norm.weight", (shape.head_size,), "norm", layer)


def _encoder_tensors(shape: Shape) -> Iterator[PlannedTensor]:
    width = shape.n_embd
    yield PlannedTensor("token_embd.weight", (width, shape.n_vocab), "embedding")
    yield PlannedTensor("position_embd.weight", (width, shape.n_ctx_train), "table")
    yield PlannedTensor("token_types.weight", (width, 2), "table")
    yield from _norm_with_bias("token_embd_norm", width, None)
    for layer in range(shape.n_layer):
        block = f"blk.{layer}"
        yield from _norm_with_bias(f"{block}.attn_output_norm", width, layer)
        yield from _norm_with_bias(f"{block}.layer_output_norm", width, layer)
        for name, row, rows in (
            *((name, width, width) for name in ("attn_q", "attn_k", "attn_v", "attn_output")),
            *(("ffn_up", width, shape.n_ff), ("ffn_down", shape.n_ff, width)),
        ):
            yield PlannedTensor(f"{block}.{name}.weight", (row, rows), "matrix", layer)
            yield PlannedTensor(f"{block}.{name}.bias", (rows,), "bias", layer)


def _norm_with_bias(name: str, width: int, layer: int | None) -> Iterator[PlannedTensor]:
    yield PlannedTensor(f"{name}.weight", (width,), "norm", layer)
    yield PlannedTensor(f"{name}.bias", (width,), "bias", layer)
