"""Which bytes are the header of a GGUF file, given its metadata and its tensors?"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from synapse_perf.gguf_files.formats import ARRAY, DEFAULT_ALIGNMENT, SCALAR_FORMATS, STRING
from synapse_perf.gguf_files.tensor_plan import PlannedTensor

Value: TypeAlias = int | float | bool | str | Sequence[int] | Sequence[str]

_VERSION = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A metadata entry; `kind` is the type of the value, or of each element where `is_array`."""

    key: str
    kind: int
    value: Value
    is_array: bool = False


def encode_header(entries: Sequence[Entry], tensors: Sequence[PlannedTensor]) -> bytes:
    """The file up to its tensor data, filler included."""
    pieces = [b"GGUF", struct.pack("<IQQ", _VERSION, len(tensors), len(entries))]
    pieces += [_encode_entry(entry) for entry in entries]
    offset = 0
    for tensor in tensors:
        dimensions = len(tensor.shape)
        pieces.append(_encode_string(tensor.name))
        pieces.append(struct.pack(f"<I{dimensions}QIQ", dimensions, *tensor.shape, tensor.type_number, offset))
        offset += tensor.padded_bytes
    header = b"".join(pieces)
    return header + bytes(-len(header) % DEFAULT_ALIGNMENT)


def _encode_entry(entry: Entry) -> bytes:
    start = _encode_string(entry.key)
    if not entry.is_array:
        return start + struct.pack("<I", entry.kind) + _encode_value(entry.kind, entry.value)
    assert isinstance(entry.value, Sequence)
    start += struct.pack("<IIQ", ARRAY, entry.kind, len(entry.value))
    if entry.kind == STRING:
        return start + b"".join([_encode_string(str(text)) for text in entry.value])
    return start + struct.pack(f"<{len(entry.value)}{SCALAR_FORMATS[entry.kind][-1]}", *entry.value)


def _encode_value(kind: int, value: Value) -> bytes:
    return _encode_string(str(value)) if kind == STRING else struct.pack(SCALAR_FORMATS[kind], value)


def _encode_string(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(8, "little") + encoded
