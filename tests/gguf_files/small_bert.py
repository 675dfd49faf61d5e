"""Which sentence-transformers folder do the tests convert? A small random BERT, made here, and the real encoder."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import encoder_weights
import numpy as np
from numpy.typing import NDArray

from synapse_perf.gguf_files.encoder_places import usual_encoder_folders

# Looked for before the tests get their own cache folder, which is empty.
_FETCHED = encoder_weights.folder()
REAL_FOLDERS = [*([_FETCHED] if encoder_weights.is_whole() else []), *usual_encoder_folders()]

CONFIG: dict[str, Any] = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 64,
    "intermediate_size": 128,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 96,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 200,
}
PIECES = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz0123456789.,!?-",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
    *("the", "text", "search", "index", "vector", "open", "cold", "##ing", "##ed", "##er", "日", "本", "и"),
)
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]

Tensors = dict[str, NDArray[Any]]


def make_folder(
    folder: Path, *, tensors: Tensors | None = None, pooling: str = "mean_tokens", max_tokens: int | None = 48
) -> Path:
    """A whole folder as sentence-transformers saves it."""
    (folder / "1_Pooling").mkdir(parents=True)
    write_json(folder / "config.json", CONFIG)
    write_json(folder / "modules.json", MODULES)
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 64, f"pooling_mode_{pooling}": True})
    if max_tokens is not None:
        write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n\n# A model\n", encoding="utf-8")
    write_safetensors(folder / "model.safetensors", random_tensors() if tensors is None else tensors)
    return folder


def random_tensors(dtype: str = "<f4") -> Tensors:
    """Of a BERT as CONFIG describes it; spread so that every part shows in the result."""
    width, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (CONFIG["vocab_size"], width),
        "embeddings.position_embeddings.weight": (CONFIG["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (CONFIG["type_vocab_size"], width),
        **norm("embeddings.LayerNorm", width),
    }
    for layer in range(CONFIG["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            shapes |= dense(f"{name}.attention.self.{part}", width, width)
        shapes |= dense(f"{name}.attention.output.dense", width, width) | norm(
            f"{name}.attention.output.LayerNorm", width
        )
        shapes |= dense(f"{name}.intermediate.dense", width, inner) | dense(f"{name}.output.dense", inner, width)
        shapes |= norm(f"{name}.output.LayerNorm", width)
    source = np.random.default_rng(7)
    return {
        name: (source.normal(0, 0.15, shape) + (name.endswith("LayerNorm.weight"))).astype(dtype)
        for name, shape in shapes.items()
    }


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def dense(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def write_safetensors(path: Path, tensors: Tensors, **changed: Any) -> None:
    """The format as published; `changed` replaces entries of the header."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    names = {"f4": "F32", "f2": "F16", "f8": "F64", "u2": "BF16", "i8": "I64"}
    offset = 0
    for name, values in tensors.items():
        ends = [offset, offset + values.nbytes]
        header[name] = {"dtype": names[values.dtype.str[1:]], "shape": list(values.shape), "data_offsets": ends}
        offset = ends[1]
    path.write_bytes(with_header(header | changed) + b"".join(values.tobytes() for values in tensors.values()))


def with_header(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text
