"""Which small GGUF files do the tests work on? Made here, byte by byte or by the tool's own synthesis."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from synapse_perf.gguf_files.embedded import EMBEDDED_SHAPES
from synapse_perf.gguf_files.formats import STRING, UINT32
from synapse_perf.gguf_files.shapes import find_shape

TINY_QWEN = replace(
    EMBEDDED_SHAPES["fast"],
    name="tiny-qwen",
    n_layer=8,
    n_embd=256,
    n_head=4,
    n_head_kv=2,
    n_ff=512,
    n_ctx_train=2048,
    n_vocab=4099,
    n_ordinary=4096,
    n_merges=4096 - 256,
)
TINY_UNTIED = replace(TINY_QWEN, name="tiny-untied", n_layer=4, tied=False)
TINY_LLAMA = replace(
    find_shape("llama-3.1-8b"),
    name="tiny-llama",
    n_layer=4,
    n_embd=256,
    n_head=4,
    n_head_kv=2,
    head_size=64,
    n_ff=512,
    n_vocab=4352,
    n_ordinary=4096,
    n_merges=6000,
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a hand-made file; the defaults are right, and each can be made wrong."""

    name: str
    shape: tuple[int, ...] = (32,)
    kind: int = 0  # F32
    offset: int | None = None  # None: right after the one before


def text(value: str | bytes) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(encoded)) + encoded


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


ARCHITECTURE = entry("general.architecture", STRING, text("llama"))


def numbers(key: str, value: int) -> bytes:
    return entry(key, UINT32, struct.pack("<I", value))


def gguf(
    entries: Sequence[bytes] = (ARCHITECTURE,),
    tensors: Sequence[Tensor] = (Tensor("a"), Tensor("b")),
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    alignment: int = 32,
    data: bytes | None = None,
) -> bytes:
    """A whole file; `counts` are the numbers of tensors and of metadata entries that it claims."""
    n_tensors, n_entries = counts or (len(tensors), len(entries))
    header = b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_entries) + b"".join(entries)
    offset = 0
    for tensor in tensors:
        dimensions = len(tensor.shape)
        start = offset if tensor.offset is None else tensor.offset
        header += text(tensor.name)
        header += struct.pack(f"<I{dimensions}QIQ", dimensions, *tensor.shape, tensor.kind, start)
        elements = 1
        for length in tensor.shape:
            elements *= length
        offset = -(-(start + elements * 4) // alignment) * alignment
    header += bytes(-len(header) % alignment)
    return header + (bytes(offset) if data is None else data)


def write(folder: Path, content: bytes, name: str = "model.gguf") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def split_part(index: int, count: int, tensors: Sequence[Tensor] = (Tensor("a"),)) -> bytes:
    """A part of a split model, as gguf-split writes it; the model's metadata are in the first."""
    marks = [entry("split.no", 2, struct.pack("<H", index)), entry("split.count", 2, struct.pack("<H", count))]
    return gguf([*([ARCHITECTURE] if index == 0 else []), *marks], tensors)


def split_names(stem: str, count: int) -> list[str]:
    return [f"{stem}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]
