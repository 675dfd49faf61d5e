"""Which tensors does a GGUF file list, and does their data lie where llama.cpp will look for it?

The rules are those of llama.cpp's own reader: data without gaps, in the order of the list, each start aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from synapse_perf.gguf_files.cursor import DAMAGED, FETCH_AGAIN, Cursor
from synapse_perf.gguf_files.formats import (
    MAX_DIMENSIONS,
    MAX_TENSOR_NAME_BYTES,
    REMOVED_TENSOR_TYPES,
    TENSOR_TYPES,
)

# A name's length, a number of dimensions, a type, an offset: no entry of the tensor list is shorter.
_SMALLEST_ENTRY_BYTES = 8 + 4 + 4 + 8


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as the header lists it; the innermost dimension first, the offset from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    size_bytes: int

    @property
    def elements(self) -> int:
        return prod(self.shape)


def read_tensor_list(cursor: Cursor, count: int) -> tuple[TensorInfo, ...]:
    """The tensor list that begins at the cursor; InputError for an entry that llama.cpp would refuse."""
    cursor.part = "list of tensors"
    cursor.check_count(count, _SMALLEST_ENTRY_BYTES)
    tensors: list[TensorInfo] = []
    seen: set[str] = set()
    for _ in range(count):
        tensor = _read_tensor(cursor)
        if tensor.name in seen:
            raise cursor.error(f"it lists tensor '{tensor.name}' twice")
        seen.add(tensor.name)
        tensors.append(tensor)
    return tuple(tensors)


def check_tensor_data(cursor: Cursor, tensors: Sequence[TensorInfo], alignment: int, data_bytes: int) -> None:
    """InputError when a tensor's data is misplaced, misaligned or beyond the `data_bytes` that the file has."""
    expected = end = 0
    for tensor in tensors:
        if tensor.offset % alignment:
            raise cursor.error(
                f"tensor '{tensor.name}' is misaligned: it starts at {tensor.offset}, no multiple of {alignment}"
            )
        if tensor.offset != expected:
            outside = ", outside the file" if tensor.offset > max(data_bytes, expected) else ""
            place = f"at {tensor.offset} of the tensor data{outside}"
            raise cursor.error(f"tensor '{tensor.name}' lies {place}; llama.cpp expects it at {expected}")
        end = tensor.offset + tensor.size_bytes
        expected = -(-end // alignment) * alignment
    if end > data_bytes:
        missing = end - data_bytes
        raise cursor.error(f"the file is cut off in its tensor data, {missing} of {end} bytes are missing", FETCH_AGAIN)


def _read_tensor(cursor: Cursor) -> TensorInfo:
    name = cursor.string()
    if len(name.encode()) > MAX_TENSOR_NAME_BYTES:
        raise cursor.error(f"a tensor's name is longer than {MAX_TENSOR_NAME_BYTES} bytes")
    dimensions = cursor.unsigned(4)
    if dimensions > MAX_DIMENSIONS:
        raise cursor.error(f"tensor '{name}' claims {dimensions} dimensions, at most {MAX_DIMENSIONS} are possible")
    shape = tuple(cursor.unsigned(8) for _ in range(dimensions))
    if prod(shape) >= 2**63 or any(length >= 2**63 for length in shape):
        raise cursor.error(f"tensor '{name}' claims an absurd shape {shape}")
    number = cursor.unsigned(4)
    offset = cursor.unsigned(8)
    return TensorInfo(name, shape, *_size_of(cursor, name, shape, number, offset))


def _size_of(cursor: Cursor, name: str, shape: tuple[int, ...], number: int, offset: int) -> tuple[str, int, int]:
    kind = TENSOR_TYPES.get(number)
    if kind is None:
        removed = number in REMOVED_TENSOR_TYPES
        remedy = (
            "convert the model again" if removed else f"{DAMAGED}; or, if it is newer than this tool, update the tool"
        )
        raise cursor.error(f"tensor '{name}' has {'the removed' if removed else 'an unknown'} type {number}", remedy)
    row = shape[0] if shape else 1
    if row % kind.block_elements:
        raise cursor.error(f"tensor '{name}' has rows of {row} elements, no whole blocks of {kind.name}")
    return kind.name, offset, kind.row_bytes(row) * prod(shape[1:])
