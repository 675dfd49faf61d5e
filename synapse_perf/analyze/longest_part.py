"""Which part of a start takes longest, where only its times are known and not what it waits for?"""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.model import Finding, Severity
from synapse_perf.units import format_duration, format_percent

NOTEWORTHY = 0.2  # of the whole: a shorter part is no bottleneck
WITHIN = 0.5  # of a phase: from there on its longest part is named instead
SHORT_S, LONG_S = 0.1, 1.0  # below the first nobody waits for it, from the second everybody does

_KEEP = "keep the process alive: back ends start once per process"
_WORDS_AND_CHANGES: Mapping[str, tuple[str, str]] = {
    "start_up": ("the start of the program, before it turns to the model", ""),
    "device": ("starting the GPU's back end", _KEEP),
    "shader_library": ("loading Metal's shaders", _KEEP),
    "fit": (
        "llama-server's search for what fits into the memory",
        "give -ngl and -c yourself with -fit off, as one search has found them",
    ),
    "metadata": ("reading the file's metadata", ""),
    "device_choice": ("choosing the devices", ""),
    "vocabulary": ("building the tokenizer", "no option shortens it: load ahead of need and keep the model loaded"),
    "tensors": (
        "bringing the tensors into memory",
        "keep the file in the page cache, and compare the ways to load: synapse-perf profile-load MODEL "
        "--load-mode all",
    ),
    "allocation": (
        "allocating the tensors' buffers",
        "with --mlock or a GPU this is where the pages come in: compare "
        "the ways to load with synapse-perf profile-load MODEL --load-mode all",
    ),
    "context": ("making the context", "a smaller context: Llama(n_ctx=...); llama-server: -c ..."),
    "kv_cache": (
        "allocating the KV cache",
        "a smaller context or KV type: Llama(n_ctx=..., type_k=8, type_v=8); llama-server: -c ... -ctk q8_0 -ctv q8_0",
    ),
    "graph": ("reserving the compute graph", "a smaller micro-batch: Llama(n_ubatch=...); llama-server: -ub ..."),
    "warm_up": (
        "the warm-up run",
        "it buys a faster first token; where nobody waits for that, llama-server: --no-warmup",
    ),
    "server": ("the server's own set-up after the load", ""),
    "first_token": ("the first token", "send one query right after the start, before the first user does"),
    "process_to_port": (
        "the start of the server up to its open port",
        "start the server before it is needed, and keep it",
    ),
    "port_to_answer": ("the time from the open port to the first answer", ""),
    "answer_to_ready": ("the time from the server's first answer to its readiness", ""),
    "launch": (
        "the start of the program up to its first line",
        "start the server before it is needed, and keep it; one in Python spends this time on imports, which "
        "llama-server does without",
    ),
}
_WORDS_AND_CHANGES = {**_WORDS_AND_CHANGES, "data": _WORDS_AND_CHANGES["tensors"]}


def longest_part(seconds: Mapping[str, float], whole_s: float | None = None) -> Finding | None:
    """The longest phase, or that part of it (``context.kv_cache``) which is most of it; None if nothing stands out.

    whole_s: what all phases together took, where that is known better than by their sum, as medians do not add up.
    """
    phases = {name: value for name, value in seconds.items() if "." not in name}
    total_s = whole_s or sum(phases.values())
    if not phases or not total_s:
        return None
    phase = max(phases, key=lambda name: phases[name])
    if phases[phase] < NOTEWORTHY * total_s:
        return None
    parts = {name: value for name, value in seconds.items() if name.startswith(f"{phase}.")}
    part = max(parts, key=lambda name: parts[name], default=phase)
    if seconds[part] < WITHIN * phases[phase]:
        part = phase
    part_s = seconds[part]
    words, change = _WORDS_AND_CHANGES.get(part.rpartition(".")[2], (part, ""))
    severity: Severity = "info" if part_s < SHORT_S else "medium" if part_s >= LONG_S else "low"
    return Finding(
        "longest-part",
        severity,
        f"{format_percent(part_s / total_s)} of {format_duration(total_s)} is {words} ({format_duration(part_s)})",
        {"part": part, "part_s": part_s, "whole_s": total_s},
        None,
        change,
        "the same phase in the next start",
        f"phase_time{{phase={part}}}",
    )
