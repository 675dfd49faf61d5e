"""What holds up the reading of the file and of the vocabulary?"""

from __future__ import annotations

from synapse_perf.llama.advice_form import finding
from synapse_perf.llama.load_log import LoadLog
from synapse_perf.llama.load_phases import LoadPhases
from synapse_perf.model import Finding, Gain
from synapse_perf.units import format_bytes

LOAD_PHASES = ("metadata", "device_choice", "vocabulary", "tensors", "context")
VOCABULARY_SHARE = 0.5  # of the load: from there on no load mode can halve it
VOCABULARY_S = 0.1
FIT_S = 1.0
REPACK_S = 0.5


def mlock_failed(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    if log.mode.mlock_failed is None:
        return None
    return finding(
        "mlock-not-effective",
        "medium",
        f"the weights are not locked in memory, though that was asked for: {log.mode.mlock_failed}",
        {"requested": log.mode.requested, "in_effect": log.mode.in_effect},
        (
            "raise the limit for locked memory (ulimit -l; in a container --ulimit memlock=-1), or use_mlock=False",
            "the same limit, or without --mlock",
        ),
        "the warning 'failed to mlock' is gone",
    )


def direct_io_fell_back(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    if not log.mode.direct_io_fell_back:
        return None
    return finding(
        "direct-io-not-effective",
        "low",
        "the file system refused direct I/O, so the file was read through the page cache",
        {"requested": log.mode.requested, "in_effect": log.mode.in_effect},
        ("use_mmap=True, or a file system with direct I/O", "--load-mode mmap"),
        "the warning 'Falling back to buffered I/O' is gone",
    )


def vocabulary_bound(log: LoadLog, phases: LoadPhases) -> Finding | None:
    durations = phases.durations()
    seconds = durations.get("vocabulary")
    total = sum(durations.get(name, 0.0) for name in LOAD_PHASES)
    if seconds is None or seconds < VOCABULARY_S or seconds < VOCABULARY_SHARE * total:
        return None
    tokens = f" of {log.model.n_vocab} tokens" if log.model.n_vocab else ""
    return finding(
        "vocabulary-bound",
        "medium",
        f"building the vocabulary{tokens} takes {seconds / total:.0%} of the load",
        {"seconds": seconds, "load_s": total, "n_vocab": log.model.n_vocab, "type": log.model.vocabulary_type},
        ("keep the model loaded between requests: no load mode and no offload shortens this part", "the same"),
        "the vocabulary's phase, before and after",
        "phase_time{phase=vocabulary}",
    )


def mmap_off(log: LoadLog, phases: LoadPhases) -> Finding | None:
    copied = log.placement.buffer_bytes("model", "cpu")
    if log.mode.requested != "none" or log.placement.used_device != "cpu" or not copied:
        return None
    return finding(
        "mmap-off",
        "medium",
        f"{format_bytes(copied)} of weights were copied into memory of their own, beside the page cache's copy",
        {"copied_bytes": copied, "copy_s": phases.duration_s("tensors.data")},
        ("Llama(use_mmap=True)", "--load-mode mmap (before mid-2026: without --no-mmap)"),
        "the log then names CPU_Mapped; compare start to first token both ways, cold and warm",
        "peak_rss",
    )


def overrides_with_mmap(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    if not log.mode.overrides_with_mmap:
        return None
    return finding(
        "overrides-with-mmap",
        "low",
        "tensors are placed on the CPU by hand while the file is mapped; llama.cpp itself advises against it",
        {"requested": log.mode.requested},
        ("Llama(use_mmap=False)", "--load-mode none"),
        "synapse-perf profile-load MODEL --repack on,off, and tokens per second both ways",
    )


def fit_search(log: LoadLog, phases: LoadPhases) -> Finding | None:
    seconds = phases.duration_s("fit") or log.fit_s
    if seconds is None or seconds < FIT_S:
        return None
    claimed = log.placement.layers_claimed
    layers = f" -ngl {claimed[0]}" if claimed else ""
    context = f" -c {log.context.n_ctx}" if log.context.n_ctx else ""
    return finding(
        "fit-search",
        "medium",
        f"llama-server tried out for {seconds:.1f} s what fits into the memory, before it loaded",
        {"seconds": seconds, "said_s": log.fit_s},
        ("", f"-fit off{layers}{context} (what it found)"),
        "no line 'fitting params' in the next log",
        "",
        Gain(seconds, None, None, "s", measured=False),
    )


def repacked(log: LoadLog, phases: LoadPhases) -> Finding | None:
    size = sum(buffer.size_bytes for buffer in log.placement.buffers if buffer.device == "CPU_REPACK")
    seconds = phases.duration_s("tensors.data")
    if not size or seconds is None or seconds < REPACK_S:
        return None
    return finding(
        "weights-repacked",
        "low",
        f"{format_bytes(size)} of weights are rewritten for this CPU at every start, within {seconds:.1f} s of copying",
        {"repacked_bytes": size, "copy_s": seconds},
        ("", "--no-repack: starts sooner, but tokens may come slower"),
        "compare start to first token and tokens per second both ways",
    )
