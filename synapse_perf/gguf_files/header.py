"""What does a GGUF file say about its model, and is it whole?

An own reader, because gguf.GGUFReader makes a NumPy view of every token and merge; this one steps over them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.cursor import Scalar
from synapse_perf.gguf_files.formats import FILE_TYPES
from synapse_perf.gguf_files.part import Part, read_part
from synapse_perf.gguf_files.splits import part_paths, part_position
from synapse_perf.gguf_files.tensors import TensorInfo

SAMPLE_KEY = "synapse_perf.synthesis"
CONVERSION_KEY = "synapse_perf.conversion"
_OTHER_ENCODERS = frozenset(("t5encoder", "gemma-embedding"))

PerLayer = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """A model file, or all parts of a split one; what the file does not say is None."""

    path: Path
    size_bytes: int
    gguf_version: int
    architecture: str
    name: str | None
    file_type: str | None
    tensors: tuple[TensorInfo, ...]
    tensor_data_offset: int
    parameters: int
    n_layer: int | None
    n_embd: int | None
    n_head: PerLayer | None
    n_head_kv: PerLayer | None
    key_length: int | None
    value_length: int | None
    n_ff: PerLayer | None
    n_ctx_train: int | None
    n_vocab: int | None
    tokenizer_model: str | None
    sliding_window: int | None
    expert_count: int | None
    split_count: int
    parts: tuple[Path, ...]
    metadata: Mapping[str, Scalar]
    digest: str

    @property
    def is_sample(self) -> bool:
        """Whether this tool synthesised the file, so that its figures say nothing about a real model."""
        return self.made_by is not None

    @property
    def generates(self) -> bool:
        """Whether it writes text; encoders such as BERT turn text into vectors instead."""
        encodes = "bert" in self.architecture or self.architecture in _OTHER_ENCODERS
        return not encodes and self.metadata.get(f"{self.architecture}.attention.causal") is not False

    @property
    def made_by(self) -> str | None:
        """Shape, quantisation and seed that this tool synthesised the file from; None for any other file."""
        value = self.metadata.get(SAMPLE_KEY)
        return value if isinstance(value, str) else None

    @property
    def converted_from(self) -> str | None:
        """Which model, in which type, this tool converted into the file; None for any other file."""
        value = self.metadata.get(CONVERSION_KEY)
        return value if isinstance(value, str) else None


def read_header(path: Path) -> GgufHeader:
    """The header of a GGUF file, with every part of a split one; InputError for anything that llama.cpp cannot load."""
    parts = _read_parts(path)
    first = parts[0]
    architecture = first.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise InputError(f"{path}: it names no architecture, so llama.cpp cannot load it", "convert the model again")
    facts = _Facts(first, architecture)
    tensors = tuple(tensor for part in parts for tensor in part.tensors)
    n_embd, n_head = facts.count("embedding_length"), facts.per_layer("attention.head_count")
    head_size = n_embd // n_head if n_embd and isinstance(n_head, int) and n_head else None
    return GgufHeader(
        path=path,
        size_bytes=sum(part.size_bytes for part in parts),
        gguf_version=first.version,
        architecture=architecture,
        name=facts.text("general.name"),
        file_type=_file_type(first.metadata, tensors),
        tensors=tensors,
        tensor_data_offset=first.data_offset,
        parameters=sum(tensor.elements for tensor in tensors),
        n_layer=facts.count("block_count"),
        n_embd=n_embd,
        n_head=n_head,
        n_head_kv=facts.per_layer("attention.head_count_kv") or n_head,
        key_length=facts.count("attention.key_length") or head_size,
        value_length=facts.count("attention.value_length") or head_size,
        n_ff=facts.per_layer("feed_forward_length"),
        n_ctx_train=facts.count("context_length"),
        n_vocab=first.array_lengths.get("tokenizer.ggml.tokens") or facts.count("vocab_size"),
        tokenizer_model=facts.text("tokenizer.ggml.model"),
        sliding_window=facts.count("attention.sliding_window"),
        expert_count=facts.count("expert_count"),
        split_count=len(parts),
        parts=tuple(part.path for part in parts),
        metadata=first.metadata,
        digest=_digest(parts),
    )


def _read_parts(path: Path) -> list[Part]:
    first = read_part(path)
    position, count = part_position(first.metadata, path)
    if count == 1:
        return [first]
    paths = part_paths(path, position, count)
    if position != 0:
        raise InputError(
            f"{path}: this is part {position + 1} of {count} of a split model", f"give its first part, {paths[0].name}"
        )
    missing = [each.name for each in paths[1:] if not each.exists()]
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of {count} parts missing: {', '.join(missing)}",
            "fetch the missing parts into the same folder",
        )
    parts = [first]
    for index, each in enumerate(paths[1:], start=1):
        part = read_part(each)
        if part_position(part.metadata, each) != (index, count):
            raise InputError(
                f"{each}: it is not part {index + 1} of {count}, as its name says", "fetch this part again"
            )
        parts.append(part)
    return parts


class _Facts:
    """Typed look-ups: a value of the wrong type counts as not said."""

    def __init__(self, part: Part, architecture: str) -> None:
        self._part = part
        self._architecture = architecture

    def text(self, key: str) -> str | None:
        value = self._part.metadata.get(key)
        return value if isinstance(value, str) else None

    def count(self, key: str) -> int | None:
        value = self._part.metadata.get(f"{self._architecture}.{key}")
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    def per_layer(self, key: str) -> PerLayer | None:
        values = self._part.short_arrays.get(f"{self._architecture}.{key}")
        if values is None:
            return self.count(key)
        whole = tuple(value for value in values if isinstance(value, int) and not isinstance(value, bool))
        return whole if whole and len(whole) == len(values) else None


def _file_type(metadata: Mapping[str, Scalar], tensors: Sequence[TensorInfo]) -> str | None:
    number = metadata.get("general.file_type")
    if isinstance(number, int) and number in FILE_TYPES:
        return FILE_TYPES[number]
    # Not said: the type of most matrices, which is how llama.cpp guesses.
    kinds = Counter(tensor.type for tensor in tensors if len(tensor.shape) > 1)
    return kinds.most_common(1)[0][0] if kinds else None


def _digest(parts: Sequence[Part]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.header_sha256)
        whole.update(part.size_bytes.to_bytes(8, "little"))
    return whole.hexdigest()
