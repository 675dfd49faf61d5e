"""How wide are the key and value rows of each layer's cache, by the header of the model's file?"""

from __future__ import annotations

from dataclasses import dataclass

from synapse_perf.gguf_files.header import GgufHeader, PerLayer

# Of how many layers one has no sliding window, the last of each period: llama.cpp fixes it by architecture where the
# file does not say (src/models/*.cpp of llama.cpp 0.5.0).
_WINDOW_PERIODS: dict[str, int] = {
    "afmoe": 4,
    "cohere2": 4,
    "exaone-moe": 4,
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt-oss": 2,
    "olmo2": 4,
    "plamo3": 8,
}
_LAYERS_WITH_CACHE = {"gemma3n": 20}  # the later ones use the caches of these
# Architectures whose files name a window that llama.cpp does not use.
_WINDOW_UNUSED = frozenset(("llama", "mistral", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "starcoder2"))
_NO_CACHE = frozenset(
    (
        *("bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "neo-bert", "eurobert"),
        *("modern-bert", "gemma-embedding", "dream", "llada", "llada-moe", "rnd1", "wavtokenizer-dec"),
    )
)
_RECURRENT_KEYS = ("ssm.", "wkv.", "shortconv.", "full_attention_interval", "linear_attention.")


@dataclass(frozen=True, slots=True)
class KvLayer:
    """One layer's cache: elements of a key row and of a value row; `windowed` if it looks back a limited way only."""

    k_width: int
    v_width: int
    windowed: bool


@dataclass(frozen=True, slots=True)
class KvShape:
    """All layers; `upper_bound` where the file does not tell which layers have a window, so all count as without."""

    layers: tuple[KvLayer, ...]
    window: int | None
    upper_bound: bool


def kv_shape(header: GgufHeader) -> KvShape | None:
    """The cache's shape; no layers for an encoder, None where the state is not a plain KV cache, or not told."""
    if header.architecture in _NO_CACHE:
        return KvShape((), None, upper_bound=False)
    prefix = f"{header.architecture}."
    if any(key.startswith(prefix + part) for key in header.metadata for part in _RECURRENT_KEYS):
        return None
    heads, n_layer = header.n_head_kv, header.n_layer
    if heads is None or not n_layer or header.key_length is None or header.value_length is None:
        return None
    counts = _per_layer(heads, n_layer)
    if len(counts) != n_layer:
        return None
    # With multi-head latent attention the cache has one compressed row per token, and no values of its own.
    value_length = 0 if _fact(header, "attention.key_length_mla") is not None else header.value_length
    windowed, unknown = _windowed(header, n_layer)
    layers = tuple(
        KvLayer(count * header.key_length, count * value_length, is_windowed)
        for count, is_windowed in zip(counts, windowed, strict=True)
    )
    kept = _LAYERS_WITH_CACHE.get(header.architecture, n_layer)
    return KvShape(layers[:kept], header.sliding_window if any(windowed) else None, upper_bound=unknown)


def _windowed(header: GgufHeader, n_layer: int) -> tuple[list[bool], bool]:
    """Which layers have a window; and whether the file has one that this table does not know how to place."""
    if not header.sliding_window or header.architecture in _WINDOW_UNUSED:
        return [False] * n_layer, False
    if header.architecture not in _WINDOW_PERIODS:
        return [False] * n_layer, True
    period = _WINDOW_PERIODS[header.architecture]
    said = _fact(header, "attention.sliding_window_pattern")
    if isinstance(said, int) and not isinstance(said, bool) and said > 0:
        period = said
    return [layer % period != period - 1 for layer in range(n_layer)], False


def _per_layer(value: PerLayer, n_layer: int) -> tuple[int, ...]:
    return (value,) * n_layer if isinstance(value, int) else value


def _fact(header: GgufHeader, key: str) -> object:
    return header.metadata.get(f"{header.architecture}.{key}")
