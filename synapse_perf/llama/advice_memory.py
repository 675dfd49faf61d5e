"""Does the KV cache take more memory than it has to?"""

from __future__ import annotations

from synapse_perf.llama.advice_form import finding
from synapse_perf.llama.load_log import LoadLog
from synapse_perf.llama.load_phases import LoadPhases
from synapse_perf.llama.memory_fit import BYTES_PER_ELEMENT, padded_cells
from synapse_perf.model import Finding, Gain
from synapse_perf.samples import Json
from synapse_perf.units import MIB, format_bytes

LARGE_KV_SHARE = 0.5  # of the weights
LARGE_KV_BYTES = 256 * MIB


def large_kv(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    kv, weights, n_ctx = log.context.kv_bytes, log.model.size_bytes, log.context.n_ctx
    if kv is None or weights is None or n_ctx is None or kv < max(LARGE_KV_BYTES, LARGE_KV_SHARE * weights):
        return None
    as_q8 = sum(
        _as_q8_0(cache.type_k, cache.k_bytes) + _as_q8_0(cache.type_v, cache.v_bytes) for cache in log.context.kv_caches
    )
    evidence: dict[str, Json] = {"kv_bytes": kv, "weights_bytes": weights, "n_ctx": n_ctx}
    half = n_ctx // 2
    arguments, flags = f"Llama(n_ctx={half}) saves about {format_bytes(kv / 2)}", f"-c {half}"
    if as_q8 < kv:
        evidence["kv_as_q8_0_bytes"] = as_q8
        saved = format_bytes(kv - as_q8)
        arguments = f"Llama(type_k=8, type_v=8, flash_attn=True) saves {saved}; {arguments}"
        flags = f"-ctk q8_0 -ctv q8_0 -fa on, or {flags}"
    return finding(
        "kv-cache-large",
        "medium",
        f"the KV cache takes {format_bytes(kv)} at a context of {n_ctx}, {kv / weights:.0%} of the weights",
        evidence,
        (arguments, flags),
        "the line 'KV buffer size' of the next start",
        "peak memory",
        Gain(float(kv - as_q8 if as_q8 < kv else kv / 2), None, None, "B", measured=False),
    )


def full_window(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    window, n_ctx, caches = log.model.description.get("n_swa", "0"), log.context.n_ctx, log.context.kv_caches
    if not log.context.full_window_cache or not window.isdigit() or n_ctx is None or len(caches) < 2:
        return None
    cells = padded_cells(min(n_ctx, int(window) + (log.context.n_ubatch or 512)))
    saved = round(caches[1].size_bytes * (1 - cells / n_ctx)) if cells < n_ctx else 0
    if saved < LARGE_KV_BYTES:
        return None
    return finding(
        "window-cache-full-size",
        "low",
        f"the layers that see {window} tokens keep a cache for all {n_ctx}",
        {"window": int(window), "n_ctx": n_ctx, "cache_bytes": caches[1].size_bytes},
        (f"Llama(swa_full=False) saves {format_bytes(saved)}, but a changed prompt is then read anew", "no --swa-full"),
        "the second line 'KV buffer size' of the next start",
        "",
        Gain(float(saved), None, None, "B", measured=False),
    )


def _as_q8_0(kv_type: str, size_bytes: int) -> int:
    now = BYTES_PER_ELEMENT.get(kv_type)
    target = BYTES_PER_ELEMENT["q8_0"]
    return round(size_bytes * target / now) if now is not None and now > target else size_bytes
