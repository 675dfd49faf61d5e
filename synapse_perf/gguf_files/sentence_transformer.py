"""What does a sentence-transformers folder say about the BERT encoder in it, and can llama.cpp run that encoder?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text
from synapse_perf.gguf_files.model_folder import (
    CONFIG,
    WEIGHTS,
    count_in,
    folder_name,
    licence_of,
    modules_folder,
    read_json,
    read_table,
    read_text,
    refuse,
    transformer_folder,
)
from synapse_perf.gguf_files.safetensors_file import SafetensorsFile
from synapse_perf.gguf_files.shapes import Shape
from synapse_perf.gguf_files.vocabulary import CONTROL, NORMAL, UNUSED, Vocabulary

# Of sentence-transformers/all-MiniLM-L6-v2 as published: files that lost their folder's name are known by it.
KNOWN_WEIGHTS = {"53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db": "all-MiniLM-L6-v2"}

_VOCABULARY = "vocab.txt"
_MODULES = "modules.json"
_SETTINGS = "sentence_bert_config.json"
_TOKENIZER = "tokenizer_config.json"

_CONTROLS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")
_MINILM_TOKENS = 256


@dataclass(frozen=True, slots=True)
class SentenceTransformer:
    """A folder that can be converted; `digest` is over everything in it that decides about the vectors."""

    folder: Path
    name: str
    shape: Shape
    token_types: int
    vocabulary: Vocabulary
    pooling: str
    max_tokens: int
    licence: str | None
    weights: SafetensorsFile
    weights_sha256: str
    digest: str


def is_sentence_transformer(folder: Path) -> bool:
    """Whether the folder looks like one, complete or not; one with GGUF files and no other weights does not."""
    inner = transformer_folder(folder)
    if (inner / WEIGHTS).is_file():
        return True
    return ((inner / CONFIG).is_file() or (folder / _MODULES).is_file()) and not any(folder.glob("*.gguf"))


def read_sentence_transformer(folder: Path, name: str | None = None) -> SentenceTransformer:
    """Read and check a folder; InputError says what is missing, damaged, or cannot be represented in llama.cpp.

    `name`: what to call the model; by default its published name if the weights are known, else the folder's.
    """
    try:
        return _read(folder, name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{folder} cannot be read: {reason}", "check the path and its permissions") from error


def default_max_tokens(name: str, n_ctx: int) -> int:
    """Where a model does not say how long its texts may be: 256 for the MiniLM family, else all positions it has."""
    return min(_MINILM_TOKENS, n_ctx) if "minilm" in name.lower() else n_ctx


def _read(folder: Path, name: str | None) -> SentenceTransformer:
    if not folder.is_dir():
        refuse(f"{folder} {'is no folder' if folder.exists() else 'does not exist'}", "give the model's folder")
    inner = transformer_folder(folder)
    config = _read_config(folder, inner)
    pooling = _pooling(modules_folder(inner))
    weights = SafetensorsFile(inner / WEIGHTS)
    with (inner / WEIGHTS).open("rb") as file:
        weights_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    name = _printable(name or KNOWN_WEIGHTS.get(weights_sha256) or folder_name(folder))
    shape = _shape(inner, config, name)
    vocabulary = _vocabulary(inner / _VOCABULARY, shape.n_vocab)
    token_types = count_in(inner / CONFIG, config, "type_vocab_size", 2)
    max_tokens = _max_tokens(inner, name, shape.n_ctx_train)
    decisive = (weights_sha256, repr(shape), vocabulary.tokens, token_types, pooling, max_tokens)
    return SentenceTransformer(
        folder=folder,
        name=name,
        shape=shape,
        token_types=token_types,
        vocabulary=vocabulary,
        pooling=pooling,
        max_tokens=max_tokens,
        licence=licence_of(modules_folder(inner)),
        weights=weights,
        weights_sha256=weights_sha256,
        digest=hashlib.sha256(json.dumps(decisive).encode()).hexdigest(),
    )


def _read_config(folder: Path, inner: Path) -> dict[str, Any]:
    missing = [file for file in (CONFIG, WEIGHTS, _VOCABULARY) if not (inner / file).is_file()]
    config = read_table(inner / CONFIG)
    if CONFIG not in missing:
        _check_architecture(inner, config)
    if WEIGHTS in missing and (inner / "pytorch_model.bin").exists():
        told = f"{inner} has its weights only as pytorch_model.bin, a pickle, which can run code and is not read"
        refuse(told, "save it again with a current sentence-transformers, which writes model.safetensors")
    if missing:
        told = f"{folder} is no complete sentence-transformers folder, it lacks {', '.join(missing)}"
        refuse(told, "give the folder that holds them, or fetch the model again")
    return config


def _check_architecture(inner: Path, config: dict[str, Any]) -> None:
    path = inner / CONFIG
    if config.get("model_type") != "bert":
        told = f"{path}: its architecture is {short_text(config.get('model_type'))}, only BERT can be converted here"
        refuse(told, "fetch a GGUF version of the model, or convert it with llama.cpp's convert_hf_to_gguf.py")
    for key, usual in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(key, usual) != usual:
            told = f"{path}: {key} is {short_text(config[key])}, llama.cpp's BERT knows only '{usual}'"
            refuse(told, "use another encoder")
    tokenizer = read_table(inner / _TOKENIZER)
    if tokenizer.get("do_lower_case") is False or tokenizer.get("strip_accents") is False:
        told = f"{inner / _TOKENIZER}: the model tells capital letters or accents apart, llama.cpp's tokenizer does not"
        refuse(told, "use an uncased encoder")


def _shape(inner: Path, config: dict[str, Any], name: str) -> Shape:
    path = inner / CONFIG
    width, heads = count_in(path, config, "hidden_size"), count_in(path, config, "num_attention_heads")
    if width % heads:
        refuse(f"{path}: {width} dimensions cannot be shared by {heads} heads")
    epsilon = config.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        refuse(f"{path}: layer_norm_eps is {short_text(epsilon)}, no small number")
    n_vocab = count_in(path, config, "vocab_size")
    return Shape(
        name=name,
        title=name,
        architecture="bert",
        n_layer=count_in(path, config, "num_hidden_layers"),
        n_embd=width,
        n_head=heads,
        n_head_kv=heads,
        head_size=width // heads,
        n_ff=count_in(path, config, "intermediate_size"),
        n_ctx_train=count_in(path, config, "max_position_embeddings"),
        norm_epsilon=epsilon,
        tied=True,
        n_vocab=n_vocab,
        n_ordinary=n_vocab,
        n_merges=0,
    )


def _vocabulary(path: Path, size: int) -> Vocabulary:
    """BERT's vocabulary as llama.cpp wants it: '▁' before what begins a word, instead of '##' before what does not."""
    pieces = [piece.removesuffix("\r") for piece in read_text(path).removesuffix("\n").split("\n")]
    missing = [token for token in _CONTROLS if token not in pieces]
    if missing:
        refuse(f"{path} is no BERT vocabulary, it lacks {', '.join(missing)}")
    if len(pieces) > size:
        refuse(f"{path} has {len(pieces)} tokens, {CONFIG} beside it says {size}")
    # A matrix may have more rows than there are tokens.
    unused = [f"[row {number}]" for number in range(len(pieces), size)]
    tokens = (*map(_in_gguf, pieces), *unused)
    if len(set(tokens)) < len(tokens):
        refuse(f"{path} names a token twice")
    types = (*(CONTROL if piece in _CONTROLS else NORMAL for piece in pieces), *(UNUSED for _ in unused))
    return Vocabulary("bert", "bert", tokens, types, (), tuple(kind != NORMAL for kind in types))


def _in_gguf(piece: str) -> str:
    if piece in _CONTROLS:
        return piece
    return piece[2:] if piece.startswith("##") and len(piece) > 2 else f"▁{piece}"


def _pooling(folder: Path) -> str:
    """How the vectors of the tokens become one; the mean where it is not said, as sentence-transformers does."""
    path = folder / _pooling_place(folder / _MODULES) / CONFIG
    if not path.is_file():
        return "mean"
    settings = read_table(path)
    chosen = [*_chosen_poolings(settings)]
    if len(chosen) != 1 or chosen[0] not in ("mean", "cls"):
        told = " and ".join(short_text(mode) for mode in chosen) or "nothing"
        refuse(f"{path}: the pooling is {told}, only 'mean' or 'cls' can be converted", "use another encoder")
    return chosen[0]


def _chosen_poolings(settings: dict[str, Any]) -> Iterator[str]:
    if isinstance(settings.get("pooling_mode"), str):
        yield settings["pooling_mode"]
    for key, is_on in settings.items():
        if key.startswith("pooling_mode_") and is_on is True:
            yield key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")


def _pooling_place(path: Path) -> str:
    """The folder of the module that pools; InputError for a module that changes the vectors in another way."""
    content = read_json(path)
    modules = [module for module in content if isinstance(module, dict)] if isinstance(content, list) else []
    places = {str(module.get("type")).rpartition(".")[2]: str(module.get("path")) for module in modules}
    strange = [kind for kind in places if kind not in _KNOWN_MODULES]
    if strange:
        refuse(f"{path}: a module {short_text(strange[0])} cannot be converted here", "use another encoder")
    return places.get("Pooling", "1_Pooling")


def _max_tokens(inner: Path, name: str, n_ctx: int) -> int:
    settings = read_table(inner / _SETTINGS)
    if settings.get("max_seq_length") is not None:
        return min(count_in(inner / _SETTINGS, settings, "max_seq_length"), n_ctx)
    return default_max_tokens(name, n_ctx)


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)
