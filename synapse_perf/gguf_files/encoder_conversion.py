"""How does the encoder of a sentence-transformers folder become a GGUF file that llama.cpp runs?

The layout is that of llama.cpp's BERT: its tensor names, its key names, its word-piece vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.atomic_file import whole_file
from synapse_perf.gguf_files.encoding import Entry, encode_header
from synapse_perf.gguf_files.formats import BOOL, FILE_TYPE_NUMBERS, FLOAT32, INT32, STRING, UINT32
from synapse_perf.gguf_files.header import CONVERSION_KEY, GgufHeader, read_header
from synapse_perf.gguf_files.sentence_transformer import SentenceTransformer
from synapse_perf.gguf_files.tensor_plan import PlannedTensor, plan_tensors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Observe = Callable[[int, int], None]

TYPES = ("f32", "f16", "q8_0")
WEIGHTS_KEY = "synapse_perf.weights_sha256"
MAX_TOKENS_KEY = "synapse_perf.max_tokens"
CONVERTER_VERSION = 1  # to be raised whenever the same folder gives other bytes

_QUANTISATION_VERSION = 2
_POOLING_NUMBERS = {"mean": 1, "cls": 2}
_TENSORS = {
    "token_embd.weight": "embeddings.word_embeddings.weight",
    "position_embd.weight": "embeddings.position_embeddings.weight",
    "token_types.weight": "embeddings.token_type_embeddings.weight",
    "token_embd_norm": "embeddings.LayerNorm",
}
_LAYER_TENSORS = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
}


def check_type(name: str) -> str:
    """The type's name in lower case; InputError names those there are."""
    if name.lower() not in TYPES:
        raise InputError(f"there is no type '{name}' for an encoder", f"choose one of {', '.join(TYPES)}")
    return name.lower()


def file_name(source: SentenceTransformer, kind: str) -> str:
    """The name in the cache: models of the same name and other files get another one."""
    name = "".join(character if character.isalnum() or character in "._-" else "-" for character in source.name)
    return f"{name.lstrip('.-') or 'encoder'}-{kind}-{source.digest[:8]}.gguf"


def is_converted(source: SentenceTransformer, kind: str, path: Path) -> bool:
    """Whether the file is there, whole, and what `convert` would write."""
    try:
        return read_header(path).converted_from == _recipe(source, kind)
    except InputError:
        return False


def is_current_conversion(header: GgufHeader) -> bool:
    """Whether this version of the converter made it, out of whatever folder."""
    return (header.converted_from or "").endswith(f" v{CONVERTER_VERSION}")


def convert(
    source: SentenceTransformer, kind: str, path: Path, *, observe: Observe | None = None, overwrite: bool = False
) -> Path:
    """Write the encoder as GGUF, matrices in that type and the rest in float32, and return the path.

    InputError, before the file gets its name, for a missing or unfit tensor, a lack of room, or, unless `overwrite`, a
    file in the way that this tool did not convert. `observe` gets bytes done and bytes in all.
    """
    kind = check_type(kind)
    if not overwrite:
        _check_replaceable(path)
    tensors = _plan(source, kind)
    for tensor in tensors:
        source.weights.find(_stored_name(source, tensor.name), _stored_shape(tensor))
    header = encode_header([*_entries(source, kind)], tensors)
    total_bytes = len(header) + sum(tensor.padded_bytes for tensor in tensors)
    with whole_file(path, total_bytes) as file:
        done_bytes = file.write(header)
        for tensor in tensors:
            data = _data(source, tensor)
            done_bytes += file.write(data.data) + file.write(bytes(tensor.padded_bytes - data.size))
            if observe is not None:
                observe(done_bytes, total_bytes)
    return path


def _check_replaceable(path: Path) -> None:
    if not path.exists():
        return
    try:
        replaceable = read_header(path).converted_from is not None
    except InputError:
        replaceable = False
    if not replaceable:
        raise InputError(f"{path} exists and was not converted by this tool", "give another output path")


def _plan(source: SentenceTransformer, kind: str) -> list[PlannedTensor]:
    planned = plan_tensors(source.shape, "f16" if kind == "f32" else kind)
    types = (source.shape.n_embd, source.token_types)
    return [
        replace(
            tensor,
            shape=types if tensor.name == "token_types.weight" else tensor.shape,
            type=_stored_type(tensor, kind),
        )
        for tensor in planned
    ]


def _stored_type(tensor: PlannedTensor, kind: str) -> str:
    """As llama-quantize has it, except for the way into attention, where 8 bits cost short texts most.

    The cosine between the vector of an empty text and the exact one would be 0.9984 instead of 0.9992.
    """
    if kind == "f32":
        return "F32"
    enters_attention = tensor.name.endswith(("attn_q.weight", "attn_k.weight", "attn_v.weight"))
    return "F16" if kind == "q8_0" and enters_attention else tensor.type


def _data(source: SentenceTransformer, tensor: PlannedTensor) -> NDArray[np.uint8]:
    import numpy as np

    values = source.weights.read(_stored_name(source, tensor.name), _stored_shape(tensor))
    if tensor.type == "F32":
        return values.astype("<f4", copy=False).reshape(-1).view(np.uint8)
    if tensor.type == "F16":
        if np.abs(values).max() > np.finfo(np.float16).max:
            told = f"{source.weights.path}: tensor '{tensor.name}' holds values too large for f16"
            raise InputError(told, "convert it to f32")
        return values.astype("<f2").reshape(-1).view(np.uint8)
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import quantize

    blocks: NDArray[np.uint8] = np.ascontiguousarray(quantize(values, GGMLQuantizationType[tensor.type]))
    return blocks.reshape(-1)


def _stored_name(source: SentenceTransformer, name: str) -> str:
    if name.startswith("blk."):
        _, layer, part, ending = name.split(".")
        stored = f"encoder.layer.{layer}.{_LAYER_TENSORS[part]}.{ending}"
    else:
        stored = _TENSORS.get(name) or f"{_TENSORS[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}"
    # Where a task was trained on top, BERT's own tensors are below its name.
    return f"bert.{stored}" if f"bert.{stored}" in source.weights.tensors else stored


def _stored_shape(tensor: PlannedTensor) -> tuple[int, ...]:
    return tuple(reversed(tensor.shape))


def _recipe(source: SentenceTransformer, kind: str) -> str:
    return f"{source.name} {kind} of {source.digest[:16]} v{CONVERTER_VERSION}"


def _entries(source: SentenceTransformer, kind: str) -> Iterator[Entry]:
    shape = source.shape
    yield Entry("general.architecture", STRING, "bert")
    yield Entry("general.type", STRING, "model")
    yield Entry("general.name", STRING, source.name)
    if source.licence:
        yield Entry("general.license", STRING, source.licence)
    yield Entry("general.file_type", UINT32, FILE_TYPE_NUMBERS[kind.upper()])
    yield Entry("general.quantization_version", UINT32, _QUANTISATION_VERSION)
    yield Entry(CONVERSION_KEY, STRING, _recipe(source, kind))
    yield Entry(WEIGHTS_KEY, STRING, source.weights_sha256)
    yield Entry(MAX_TOKENS_KEY, UINT32, source.max_tokens)
    yield Entry("bert.block_count", UINT32, shape.n_layer)
    yield Entry("bert.context_length", UINT32, shape.n_ctx_train)
    yield Entry("bert.embedding_length", UINT32, shape.n_embd)
    yield Entry("bert.feed_forward_length", UINT32, shape.n_ff)
    yield Entry("bert.attention.head_count", UINT32, shape.n_head)
    yield Entry("bert.attention.layer_norm_epsilon", FLOAT32, shape.norm_epsilon)
    yield Entry("bert.attention.causal", BOOL, False)
    yield Entry("bert.pooling_type", UINT32, _POOLING_NUMBERS[source.pooling])
    yield from _tokenizer(source)


def _tokenizer(source: SentenceTransformer) -> Iterator[Entry]:
    vocabulary = source.vocabulary
    yield Entry("tokenizer.ggml.model", STRING, vocabulary.model)
    yield Entry("tokenizer.ggml.pre", STRING, vocabulary.pre)
    yield Entry("tokenizer.ggml.tokens", STRING, vocabulary.tokens, is_array=True)
    yield Entry("tokenizer.ggml.token_type", INT32, vocabulary.types, is_array=True)
    yield Entry("tokenizer.ggml.token_type_count", UINT32, source.token_types)
    named = {"bos": "[CLS]", "eos": "[SEP]", "unknown": "[UNK]", "seperator": "[SEP]", "padding": "[PAD]"}
    for use, token in {**named, "cls": "[CLS]", "mask": "[MASK]"}.items():
        yield Entry(f"tokenizer.ggml.{use}_token_id", UINT32, vocabulary.token_id(token))
