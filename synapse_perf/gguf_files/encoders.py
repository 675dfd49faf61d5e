"""Which encoder embeds: the one that was named, all-MiniLM-L6-v2 if it can be had, or a random one of its shape?"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.cache import ensure_models_directory, models_directory
from synapse_perf.gguf_files.discovery import FoundModel, find_models, resolve_model
from synapse_perf.gguf_files.encoder_conversion import (
    MAX_TOKENS_KEY,
    WEIGHTS_KEY,
    check_type,
    convert,
    file_name,
    is_converted,
    is_current_conversion,
)
from synapse_perf.gguf_files.encoder_places import USUAL_ENCODER, usual_encoder_folders
from synapse_perf.gguf_files.header import GgufHeader, read_header
from synapse_perf.gguf_files.places import model_name
from synapse_perf.gguf_files.sentence_transformer import (
    KNOWN_WEIGHTS,
    default_max_tokens,
    is_sentence_transformer,
    read_sentence_transformer,
)
from synapse_perf.gguf_files.shapes import find_shape
from synapse_perf.gguf_files.synthesis import is_made, sample_name, synthesize

Observe = Callable[[int, int], None]

HOW_TO_GET_IT = "run `make setup` with network access, or `synapse-perf models import` with the model's folder"

_TYPE = "f16"
_SAMPLE_SHAPE = "minilm-l6"
_SAMPLE_SEED = 0
_POOLINGS = (1, 2, 3)  # mean, first token, last token; 0 is none, 4 judges pairs of texts


@dataclass(frozen=True, slots=True)
class EncoderFile:
    """A GGUF encoder that is ready to be loaded.

    `digest` is of the whole content, `model_name` what an index calls the model that built it; `note` is for the user:
    why it is a sample, or what could not be used.
    """

    path: Path
    label: str
    digest: str
    dimension: int
    max_tokens: int
    is_sample: bool
    model_name: str
    note: str = ""


def choose_encoder(name_or_path: str | None = None, *, observe: Observe | None = None) -> EncoderFile:
    """The encoder meant by a GGUF file, a name, or a sentence-transformers folder; without one, the best there is.

    That is all-MiniLM-L6-v2, converted now if need be, else a sample with random weights, made if need be. InputError
    where what was named is missing, damaged or no encoder. `observe` gets bytes done and bytes in all.
    """
    path = None if name_or_path is None else _named_file(name_or_path, observe)
    if path is not None:
        return encoder_file(path)
    found, problem = _usual_encoder(observe)
    if found is not None:
        return found
    if name_or_path is not None:
        raise InputError(problem or f"{USUAL_ENCODER} is not on this machine", HOW_TO_GET_IT)
    sample = encoder_file(_sample(observe))
    return replace(sample, note=problem) if problem else sample


def convert_into_cache(
    folder: Path, kind: str = _TYPE, name: str | None = None, *, observe: Observe | None = None
) -> Path:
    """The GGUF file of a sentence-transformers folder in the cache, converted if that was not done yet."""
    kind = check_type(kind)
    source = read_sentence_transformer(folder, name)
    path = ensure_models_directory() / file_name(source, kind)
    if is_converted(source, kind, path):
        return path
    return convert(source, kind, path, observe=observe, overwrite=True)


def encoder_file(path: Path) -> EncoderFile:
    """What a GGUF file says about the encoder in it; InputError where it is none."""
    header = read_header(path)
    _check_encodes(header)
    name = header.name or model_name(path)
    kind = (header.file_type or "unknown type").lower()
    return EncoderFile(
        path=path.absolute(),
        label=name if header.is_sample else f"{name} {kind}",
        digest=_content_digest(header),
        dimension=header.n_embd or 0,
        max_tokens=_max_tokens(header),
        is_sample=header.is_sample,
        model_name=name,
        note="its weights are random: what it finds means nothing" if header.is_sample else "",
    )


def encodes(header: GgufHeader) -> bool:
    """Whether it turns a text into one vector: an encoder, or a model that was trained on as one and says so."""
    pooling = header.metadata.get(f"{header.architecture}.pooling_type")
    return pooling in _POOLINGS or (pooling is None and not header.generates)


def _named_file(name_or_path: str, observe: Observe | None) -> Path | None:
    """The file; None for the usual encoder's own name, which any of its copies answers to."""
    folder = Path(os.path.expanduser(name_or_path))  # noqa: PTH111 (Path raises where there is no such user)
    if _is_folder(folder) and is_sentence_transformer(folder):
        return convert_into_cache(folder, observe=observe)
    if name_or_path.removeprefix("sentence-transformers/").lower() == USUAL_ENCODER.lower():
        return None
    try:
        return resolve_model(name_or_path, only=_may_encode)
    except InputError:
        return resolve_model(name_or_path)  # tells what else it is, or everything that it could have been


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # what is wrong with the path is told where it is resolved
        return False


def _may_encode(model: FoundModel) -> bool:
    return model.header is None or encodes(model.header)


def _check_encodes(header: GgufHeader) -> None:
    if encodes(header) and header.n_embd and header.n_ctx_train:
        return
    kind = "it writes text" if header.generates else "it gives no single vector for a text"
    raise InputError(
        f"{header.path} is no text encoder: {kind} (architecture {header.architecture})",
        f"name an encoder such as {USUAL_ENCODER}, or give a sentence-transformers folder",
    )


def _max_tokens(header: GgufHeader) -> int:
    limit = header.n_ctx_train or 0
    said = header.metadata.get(MAX_TOKENS_KEY)
    if isinstance(said, int) and 0 < said <= limit:
        return said
    return default_max_tokens(header.name or header.path.name, limit)


def _usual_encoder(observe: Observe | None) -> tuple[EncoderFile | None, str]:
    """The converted one, one that can be converted, or one that came as GGUF; else why the first folder cannot be."""
    converted = _converted_before()
    if converted is not None:
        return encoder_file(converted), ""
    problem = ""
    for folder in usual_encoder_folders():
        try:
            return encoder_file(convert_into_cache(folder, name=USUAL_ENCODER, observe=observe)), ""
        except InputError as error:
            problem = problem or f"{USUAL_ENCODER} could not be converted: {error.message}"
    for model in find_models():
        header = model.header
        if header and not header.is_sample and encodes(header) and USUAL_ENCODER.lower() in (header.name or "").lower():
            return encoder_file(model.path), ""
    return None, problem


def _converted_before() -> Path | None:
    """The conversion in the cache; of several, the one of the published weights."""
    found: list[Path] = []
    for path in sorted(models_directory().glob(f"{USUAL_ENCODER}-{_TYPE}-*.gguf")):
        try:
            header = read_header(path)
        except InputError:
            continue
        if is_current_conversion(header):
            found.insert(0 if header.metadata.get(WEIGHTS_KEY) in KNOWN_WEIGHTS else len(found), path)
    return found[0] if found else None


def _sample(observe: Observe | None) -> Path:
    shape = find_shape(_SAMPLE_SHAPE)
    path = ensure_models_directory() / sample_name(shape, _TYPE, _SAMPLE_SEED)
    if is_made(shape, _TYPE, path, _SAMPLE_SEED):
        return path
    return synthesize(shape, _TYPE, path, seed=_SAMPLE_SEED, observe=observe, overwrite=True)


def _content_digest(header: GgufHeader) -> str:
    """Of every byte: two encoders of the same shape may have the same header, and their vectors must not be mixed."""
    whole = hashlib.sha256()
    for part in header.parts:
        with part.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
