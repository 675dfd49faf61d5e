"""Is there what retrieval needs: FAISS, and an encoder whose rankings mean something?"""

from __future__ import annotations

from importlib import metadata

from synapse_perf.gguf_files.cache import models_directory
from synapse_perf.gguf_files.encoder_places import USUAL_ENCODER, usual_encoder_folders
from synapse_perf.host.condition import Condition

DISTRIBUTIONS = ("faiss-cpu", "faiss-gpu", "faiss")


def retrieval_parts() -> list[Condition]:
    """One line for FAISS, one for the encoder that `bench-cgrag` takes by itself."""
    return [_faiss(), _encoder()]


def _faiss() -> Condition:
    for name in DISTRIBUTIONS:
        try:
            return Condition("faiss", "ok", f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    remedy = "pip install faiss-cpu"
    return Condition("faiss", "unavailable", "not installed: retrieval cannot be measured", remedy, ("retrieval",))


def _encoder() -> Condition:
    converted = any(models_directory().glob(f"{USUAL_ENCODER}-*.gguf"))
    if converted or usual_encoder_folders():
        return Condition("encoder", "ok", f"{USUAL_ENCODER}, {'converted' if converted else 'to be converted once'}")
    what = f"no {USUAL_ENCODER} here: one with random weights stands in, whose rankings mean nothing"
    return Condition("encoder", "warning", what, "synapse-perf models import DIR, or make setup", ("retrieval",))
