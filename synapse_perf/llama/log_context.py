"""What did the context get: its length, KV cache, attention and graph, by llama.cpp's log?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.llama.log_devices import mib_bytes
from synapse_perf.llama.log_patterns import Event

_ATTENTION = {"1": "on", "enabled": "on", "0": "off", "disabled": "off", "auto": "auto"}


@dataclass(frozen=True, slots=True)
class KvCache:
    """One KV cache; a model with sliding windows has two, and a draft context adds its own."""

    size_bytes: int
    cells: int | None
    layers: int | None
    type_k: str
    type_v: str
    k_bytes: int
    v_bytes: int


@dataclass(frozen=True, slots=True)
class ContextFacts:
    """The first context of a load; `kv_caches` and sizes are those of all its contexts.

    flash_attention: on, off, or auto where the log does not tell what auto became. full_window_cache: the cache of the
    sliding windows is as long as the context.
    """

    n_ctx: int | None
    n_batch: int | None
    n_ubatch: int | None
    flash_attention: str | None
    kv_caches: tuple[KvCache, ...]
    full_window_cache: bool
    graph_nodes: int | None
    graph_splits: int | None
    reserve_s: float | None

    @property
    def kv_bytes(self) -> int | None:
        """All KV caches together; None where the log has none."""
        return sum(cache.size_bytes for cache in self.kv_caches) if self.kv_caches else None


def read_context(events: Sequence[Event]) -> ContextFacts:
    """The context that the events tell of."""
    values: dict[str, str] = {}
    for event in events:
        if event.kind == "context":
            values.setdefault(event.group(0), event.group(1))
    decided = [event.group(0) for event in events if event.kind == "flash_attention"]
    attention = next((_ATTENTION[word] for word in decided if word in _ATTENTION), None)
    graphs = [event for event in events if event.kind == "graph"]
    reserved = [float(event.group(0)) for event in events if event.kind == "reserve_done"]
    return ContextFacts(
        n_ctx=_whole(values.get("n_ctx")),
        n_batch=_whole(values.get("n_batch")),
        n_ubatch=_whole(values.get("n_ubatch")),
        flash_attention=attention or _ATTENTION.get(values.get("flash_attn", "")),
        kv_caches=tuple(_kv_cache(event) for event in events if event.kind == "kv_total"),
        full_window_cache=any(event.kind == "full_window" for event in events),
        graph_nodes=int(graphs[0].group(0)) if graphs else _first_count(events, "graph_nodes"),
        graph_splits=int(graphs[0].group(1)) if graphs else _first_count(events, "graph_splits"),
        reserve_s=reserved[0] / 1000 if reserved else None,
    )


def _kv_cache(event: Event) -> KvCache:
    size, cells, layers, type_k, k_mib, type_v, v_mib = (event.group(number) for number in range(7))
    return KvCache(
        size_bytes=mib_bytes(size),
        cells=_whole(cells),
        layers=_whole(layers),
        type_k=type_k,
        type_v=type_v,
        k_bytes=mib_bytes(k_mib),
        v_bytes=mib_bytes(v_mib),
    )


def _first_count(events: Sequence[Event], kind: str) -> int | None:
    return next((int(event.group(0)) for event in events if event.kind == kind), None)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
