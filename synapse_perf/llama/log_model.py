"""What is the model, by llama.cpp's own description of it in the log?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.llama.log_patterns import Event
from synapse_perf.units import GIB, MIB

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) (MiB|GiB) \(([-\w.]{1,16}) BPW\)")
_COUNT = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ([KMBT])\b")
_UNITS = {"MiB": MIB, "GiB": GIB}
_POWERS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The model of one load; `size_bytes` is rounded to 0.01 MiB or GiB, `parameters` to three digits or so.

    `description` has every value that llama.cpp printed of the model, by the name that it printed.
    """

    path: str | None
    gguf_version: str | None
    tensors: int | None
    files: int
    architecture: str | None
    name: str | None
    parameters: int | None
    file_type: str | None
    size_bytes: int | None
    bits_per_weight: float | None
    n_layer: int | None
    n_ctx_train: int | None
    vocabulary_type: str | None
    n_vocab: int | None
    description: Mapping[str, str]


def read_model(events: Sequence[Event]) -> ModelFacts:
    """The model that the events tell of."""
    begin = next((event for event in events if event.kind == "metadata_loaded"), None)
    splits = next((event for event in events if event.kind == "splits"), None)
    info = {event.group(0): event.group(1).strip() for event in events if event.kind == "info"}
    size = _SIZE.search(info.get("file size") or info.get("model size") or "")
    parameters = _COUNT.search(info.get("model params", ""))
    return ModelFacts(
        path=begin.group(2) if begin else None,
        gguf_version=begin.group(3) if begin else None,
        tensors=int(begin.group(1)) if begin else None,
        files=int(splits.group(0)) + 1 if splits else 1,
        architecture=info.get("arch"),
        name=_known(info.get("general.name")),
        parameters=round(float(parameters[1]) * _POWERS[parameters[2]]) if parameters else None,
        file_type=info.get("file type") or info.get("model ftype"),
        size_bytes=round(float(size[1]) * _UNITS[size[2]]) if size else None,
        bits_per_weight=_number(size[3]) if size else None,
        n_layer=_whole(info.get("n_layer")),
        n_ctx_train=_whole(info.get("n_ctx_train")),
        vocabulary_type=info.get("vocab type"),
        n_vocab=_whole(info.get("n_vocab")),
        description=info,
    )


def _known(text: str | None) -> str | None:
    return None if text in (None, "", "n/a") else text


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _number(text: str) -> float | None:
    """A number that may be printed as -nan."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value else None
