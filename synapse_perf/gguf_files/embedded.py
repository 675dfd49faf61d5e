"""Which models does the tool measure when there are none on the machine?

Three of its own, one for each tier: small enough that a run over all of them takes minutes, with vocabularies and
tensors large enough that each phase of loading is seen. Made once, and kept in the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.cache import ensure_models_directory, models_directory
from synapse_perf.gguf_files.header import read_header
from synapse_perf.gguf_files.shapes import Shape, find_shape
from synapse_perf.gguf_files.synthesis import GENERATOR_VERSION, plan_file, synthesize

QUANT = "q4_k_m"
SEED = 0
EMBEDDED_PREFIX = "embedded-"

_SPECIAL_TOKENS = 3  # end of text, start and end of a message


def _tier_shape(tier: str, n_layer: int, n_embd: int, n_head: int, n_ff: int, n_vocab: int) -> Shape:
    n_ordinary = n_vocab - _SPECIAL_TOKENS
    return replace(
        find_shape("qwen3-0.6b"),
        name=f"{EMBEDDED_PREFIX}{tier}",
        title=f"Embedded {tier}",
        n_layer=n_layer,
        n_embd=n_embd,
        n_head=n_head,
        n_head_kv=4,
        head_size=64,
        n_ff=n_ff,
        n_ctx_train=8192,
        n_vocab=n_vocab,
        n_ordinary=n_ordinary,
        n_merges=n_ordinary - 256,
    )


EMBEDDED_SHAPES: dict[str, Shape] = {
    "fast": _tier_shape("fast", n_layer=8, n_embd=512, n_head=8, n_ff=1536, n_vocab=32768),
    "balanced": _tier_shape("balanced", n_layer=12, n_embd=768, n_head=12, n_ff=2304, n_vocab=65536),
    "deep": _tier_shape("deep", n_layer=16, n_embd=1024, n_head=16, n_ff=3072, n_vocab=131072),
}


def embedded_path(tier: str) -> Path:
    """Where the tier's model lies once it is made; the name changes with the generator and the shape."""
    recipe = f"{GENERATOR_VERSION} {EMBEDDED_SHAPES[tier]!r} {QUANT} {SEED}"
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    return models_directory() / f"{EMBEDDED_PREFIX}{tier}-{digest}.gguf"


def embedded_models(observe: Callable[[int, int], None] | None = None) -> dict[str, Path]:
    """The files of the tiers "fast", "balanced" and "deep", made first where they are missing or damaged.

    `observe` gets the bytes done and in all, over those that are being made.
    """
    paths = {tier: embedded_path(tier) for tier in EMBEDDED_SHAPES}
    ensure_models_directory()
    missing = [tier for tier, path in paths.items() if not _is_intact(path)]
    sizes = {tier: plan_file(EMBEDDED_SHAPES[tier], QUANT, SEED).size_bytes for tier in missing}
    total_bytes, before = sum(sizes.values()), 0
    for tier in missing:
        watch = _shifted(observe, before, total_bytes)
        synthesize(EMBEDDED_SHAPES[tier], QUANT, paths[tier], seed=SEED, observe=watch, overwrite=True)
        before += sizes[tier]
    return paths


def _is_intact(path: Path) -> bool:
    try:
        return read_header(path).is_sample
    except InputError:
        return False


def _shifted(observe: Callable[[int, int], None] | None, before: int, total: int) -> Callable[[int, int], None] | None:
    return None if observe is None else lambda done, _: observe(before + done, total)
