"""What holds a start back: the longest phase, what that phase waits for, and what would remove it.

The thresholds separate synthetic loads (a busy loop, fsync, page faults, sleeping, a crowded machine) with room to
spare; between them the answer is "mixed" with both shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.analyze.load_starts import Start, references
from synapse_perf.model import Finding, Gain, Json, Severity
from synapse_perf.units import format_bytes, format_duration, format_percent

CONTENDED = 0.25  # of the time that a phase wanted a processor it had to wait for one
BLOCKED = 0.5  # of the phase
BUSY = 0.7  # of the phase
KERNEL = 0.4  # of the processor time
NOTEWORTHY = 0.2  # of the start: a shorter phase is no bottleneck


@dataclass(frozen=True, slots=True)
class Bound:
    """Why a phase takes as long as it does."""

    kind: str  # disk, cpu, kernel, contended, mixed, unknown
    words: str


def bound_of(start: Start, phase: str) -> Bound:
    """Classify one phase by the medians of what it used; "unknown" where the platform does not count that."""
    wall_s = start.phase_s(phase)
    on_cpu, run_queue, blocked = (start.fact(f"{phase}.{name}") for name in ("on_cpu_s", "run_queue_s", "blocked_s"))
    if on_cpu is None or run_queue is None or blocked is None or wall_s <= 0:
        return Bound("unknown", "what it waits for cannot be told here")
    system, read = start.fact(f"{phase}.system_s") or 0.0, start.fact(f"{phase}.read_bytes") or 0.0
    if on_cpu + run_queue > 0 and run_queue / (on_cpu + run_queue) >= CONTENDED:
        return Bound("contended", f"it waits {format_duration(run_queue)} for a free core: the machine is crowded")
    if blocked >= BLOCKED * wall_s and read > 0:
        return Bound("disk", f"it waits {format_duration(blocked)} for the disk ({format_bytes(read)} read)")
    if on_cpu >= BUSY * wall_s:
        if system >= KERNEL * on_cpu:
            faults = start.fact(f"{phase}.minor_faults") or 0.0
            return Bound("kernel", f"the kernel works {format_duration(system)} of it ({faults:.0f} page faults)")
        return Bound("cpu", f"one core computes for {format_duration(on_cpu)} of it")
    return Bound(
        "mixed", f"{format_duration(on_cpu)} of computing and {format_duration(blocked)} of waiting for the disk"
    )


def bottlenecks(starts: Sequence[Start]) -> list[Finding]:
    """One finding for each model: what holds its cold start back, or its warm one where no cold one was measured."""
    found = []
    reference = references(starts)
    for model in dict.fromkeys(start.model for start in reference):
        own = {start.cache: start for start in reference if start.model == model}
        start = own.get("cold") or own.get("warm") or next(iter(own.values()))
        found.append(_bottleneck(start, own.get("warm")))
    return found


def _bottleneck(start: Start, warm: Start | None) -> Finding:
    phase = start.longest_phase
    phase_s, total_s = start.phase_s(phase), start.total_s
    bound = bound_of(start, phase)
    share = phase_s / total_s if total_s else 0.0
    evidence: dict[str, Json] = {
        "model": start.model,
        "cache": start.cache,
        "phase": phase,
        "phase_s": phase_s,
        "share_of_start": share,
        "bound": bound.kind,
        "processes": start.startup.summary.processes,
    }
    floor_words = ""
    if phase == "tensors" and start.floor is not None:
        from synapse_perf.analyze.load_starts import middle

        floor_s = middle(start.floor)
        evidence |= {"floor_s": floor_s, "efficiency": floor_s / phase_s if phase_s else None}
        floor_words = f"; a plain read of the file takes {format_duration(floor_s)}"
    cause = (
        f"{start.model}, {start.cache}: {format_percent(share)} of the start ({format_duration(phase_s)} of "
        f"{format_duration(total_s)}) is {PHASE_WORDS.get(phase, phase)}; {bound.words}{floor_words}"
    )
    gain = _gain(start, warm, phase, bound)
    severity: Severity = "medium" if share >= NOTEWORTHY else "low"
    change, check, alert = _advice(start, phase, bound)
    return Finding("bound", severity, cause, evidence, gain, change, check, alert)


def _gain(start: Start, warm: Start | None, phase: str, bound: Bound) -> Gain | None:
    """Cold against warm was measured; what else a change gives is bounded by the phase that it removes."""
    if phase == "tensors" and start.cache == "cold" and bound.kind in ("disk", "mixed") and warm is not None:
        cold_interval, warm_interval = start.startup.summary.interval, warm.startup.summary.interval
        low = high = None
        if cold_interval is not None and warm_interval is not None:
            # Conservative: both medians at the far ends of their intervals.
            low, high = cold_interval.low - warm_interval.high, cold_interval.high - warm_interval.low
            if low <= 0:
                return None  # the warm start may be no faster: a gain that could be none is not promised
        return Gain(start.total_s - warm.total_s, low, high, "s", measured=True)
    if phase in ("import", "interpreter"):
        return Gain(start.phase_s(phase), None, None, "s", measured=False)
    return None


PHASE_WORDS = {
    "interpreter": "starting the Python interpreter",
    "import": "importing llama_cpp",
    "harness": "this tool's own worker",
    "backend": "starting llama.cpp's back ends",
    "metadata": "reading the file's metadata",
    "vocabulary": "building the tokenizer",
    "tensors": "bringing the tensors into memory",
    "context": "making the context",
    "first_token": "the first token",
}


def _advice(start: Start, phase: str, bound: Bound) -> tuple[str, str, str]:
    """The change, how to see that it worked, and what to watch afterwards."""
    check = f"synapse-perf profile-load {start.model} --baseline NAME, after 'baseline save NAME' on this run"
    alert = f"model_startup_time_seconds of {start.model} above {start.total_s * 1.5:.3g}"
    if bound.kind == "contended":
        return "end what else runs, or give the model's process cores of its own, and measure again", check, alert
    if phase == "tensors" and start.cache == "cold" and bound.kind in ("disk", "mixed"):
        change = (
            "keep the file in the page cache: read it once after boot (cat MODEL > /dev/null), or hold it there with "
            "Llama(use_mlock=True) / llama-server --load-mode mmap+mlock in a process that stays"
        )
        return change, check, alert
    repacked = start.fact("buffer.CPU_REPACK.model")
    if phase == "tensors" and repacked:
        change = (
            f"{format_bytes(repacked)} of weights are rewritten for this CPU at every start: compare with "
            f"'synapse-perf profile-load {start.model} --repack on,off' (llama-server --no-repack); tokens may suffer"
        )
        return change, check, alert
    changes = {
        "import": "start it before it is needed and keep it, or use llama-server, which needs no Python",
        "interpreter": "keep the process alive between requests, or use llama-server, which needs no Python",
        "vocabulary": "no option shortens it: load ahead of need and keep the model, or take a smaller vocabulary",
        "context": "a smaller context or KV type: Llama(n_ctx=..., type_k=8, type_v=8) / llama-server -c ... "
        f"-ctk q8_0 -ctv q8_0; the KV cache takes {format_bytes(start.fact('kv_bytes') or 0)} now",
        "tensors": "compare the ways to load: synapse-perf profile-load --load-mode all",
        "backend": "keep the process alive: back ends start once per process",
        "first_token": "send one warm-up query right after loading, before the first user",
    }
    return changes.get(phase, ""), check, alert
