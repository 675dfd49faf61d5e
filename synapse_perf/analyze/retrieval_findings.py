"""What do the figures of a retrieval mean, and what should change? Cold start, opening, threads, embedding."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import chain

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.retrieval_stages import (
    find_stage,
    measured,
    median_s,
    per_process,
    stages_of,
    sum_per_process,
)
from synapse_perf.analyze.summary import median_interval
from synapse_perf.model import Finding, Gain, Json, Metric, Severity
from synapse_perf.units import format_duration, format_percent

NEEDED = 6  # processes, as everywhere
LAZY_AT_LEAST_S = 0.005  # below it nobody feels the opening
LAZY_SHARE = 0.2
DOMINATES = 0.5
FAULTS_EACH_PAGE = 5.0  # the first search of a map takes so many times what the opening took


def findings_of(metrics: Sequence[Metric], open_mode: str, limit_cold_s: float, confidence: float) -> list[Finding]:
    """Every finding of the timed trials; `open_mode` is the way to open the index that is judged."""
    return list(
        chain(
            _lazy_index(metrics, limit_cold_s, confidence),
            _imports(metrics),
            _embedding(metrics),
            _open_modes(metrics, open_mode, confidence),
            _threads(metrics, "omp_threads", "search", confidence),
            _threads(metrics, "encoder_threads", "embed", confidence),
        )
    )


# --- the cold start --------------------------------------------------------------------------------------------------


def _lazy_index(metrics: Sequence[Metric], limit_s: float, confidence: float) -> list[Finding]:
    """What the first query pays for an index that is opened only then, and what preloading would take off its path."""
    stages, preloaded = stages_of(metrics, "cold"), stages_of(metrics, "preloaded").get("total")
    if "total" not in stages:
        return []
    total_s = median_s(stages["total"])
    gain = _opening_gain(stages, confidence)
    if gain is None or gain.low is None or gain.low < LAZY_AT_LEAST_S or gain.value < LAZY_SHARE * total_s:
        return []
    evidence: dict[str, Json] = {
        "first_retrieval_s": total_s,
        "stages_s": {name: median_s(metric) for name, metric in stages.items() if name != "total"},
        "first_retrieval_preloaded_s": median_s(preloaded) if preloaded else None,
        "processes": stages["total"].summary.processes,
    }
    severity: Severity = "low"
    if total_s > limit_s / 2:
        severity = "high" if total_s > limit_s >= total_s - gain.value else "medium"
    return [
        Finding(
            "lazy-index",
            severity,
            f"opening the index and reading its texts takes {format_duration(gain.value)} of the first retrieval's "
            f"{format_duration(total_s)}",
            evidence,
            gain,
            "open the index and read its metadata when the service starts, and answer one query before it reports "
            "that it is ready: retriever = load(); retriever.retrieve('warm up')",
            "the row 'preloaded' of this report is the first retrieval with that change; measure it again afterwards",
            "the first retrieval after a start: alert over the limit for cold retrieval, "
            f"histogram_quantile(0.5, retrieval_first_seconds) > {limit_s:g}",
        )
    ]


def _opening_gain(stages: Mapping[str, Metric], confidence: float) -> Gain | None:
    """Of the stages that preloading removes."""
    parts = [stages[name] for name in ("open", "metadata") if name in stages]
    opening = sum_per_process(parts) if parts else []
    interval = median_interval(opening, confidence)
    if interval is None or len(opening) < NEEDED:
        return None
    return Gain(statistics.median(opening), interval.low, interval.high, "s", measured=True)


def _imports(metrics: Sequence[Metric]) -> list[Finding]:
    stages = stages_of(metrics, "process-cold")
    imports = {name: median_s(metric) for name, metric in stages.items() if name.startswith("import.")}
    if "total" not in stages or not imports or len(per_process(stages["total"])) < NEEDED:
        return []
    total_s, imports_s = median_s(stages["total"]), sum(imports.values())
    if imports_s < DOMINATES * total_s:
        return []
    heaviest = max(imports, key=lambda name: imports[name]).removeprefix("import.")
    return [
        Finding(
            "imports-dominate",
            "info",
            f"imports take {format_percent(imports_s / total_s)} of a cold process's first retrieval "
            f"({heaviest} the most); no index can shorten that, a process that stays does",
            {"imports_s": imports, "total_s": total_s},
            None,
            "",
            "",
            "",
        )
    ]


# --- the settled process ---------------------------------------------------------------------------------------------


def _embedding(metrics: Sequence[Metric]) -> list[Finding]:
    stages = stages_of(metrics, "warm")
    if not {"total", "embed", "search"} <= set(stages) or len(per_process(stages["total"])) < NEEDED:
        return []
    total_s, embed_s, search_s = (median_s(stages[name]) for name in ("total", "embed", "search"))
    if embed_s < DOMINATES * total_s:
        return []
    cause = (
        f"embedding the query takes {format_percent(embed_s / total_s)} of a warm retrieval, the search "
        f"{format_duration(search_s)}: another index cannot make it much faster, a cache of query vectors can"
    )
    evidence: dict[str, Json] = {"embed_s": embed_s, "search_s": search_s, "total_s": total_s}
    return [Finding("embedding-dominates", "info", cause, evidence, None, "", "", "")]


def _threads(metrics: Sequence[Metric], name: str, stage: str, confidence: float) -> list[Finding]:
    """Another number of threads, where it is faster beyond doubt than the one that is set."""
    reference = stages_of(metrics, "warm").get(stage)
    variants = {m.labels["variant"] for m in metrics if m.labels.get("variant", "").startswith(f"{name}=")}
    found = []
    for variant in sorted(variants):
        other = stages_of(metrics, "warm", variant).get(stage)
        if reference is None or other is None:
            continue
        slow, fast = per_process(reference), per_process(other)
        if min(len(slow), len(fast)) < NEEDED:
            continue
        low, high = ratio_interval(slow, fast, 1 - (1 - confidence) / len(variants))
        if low > 1:
            found.append(_faster_threads(variant, stage, reference, other, (low, high)))
    return found


def _faster_threads(variant: str, stage: str, reference: Metric, other: Metric, ratio: tuple[float, float]) -> Finding:
    name, _, number = variant.partition("=")
    before_s, after_s = median_s(reference), median_s(other)
    change = (
        f"faiss.omp_set_num_threads({number}) in the thread that searches (each thread has its own setting), or "
        f"OMP_NUM_THREADS={number} before faiss is imported"
        if name == "omp_threads"
        else f"Llama(n_threads={number}, n_threads_batch={number}) for the encoder"
    )
    return Finding(
        f"{name.replace('_', '-')}-per-query",
        "medium",
        f"with {variant} one query's {stage} takes {format_duration(after_s)} instead of {format_duration(before_s)}",
        {"stage": stage, "before_s": before_s, "after_s": after_s, "ratio": {"low": ratio[0], "high": ratio[1]}},
        Gain(before_s - after_s, after_s * (ratio[0] - 1), after_s * (ratio[1] - 1), "s", measured=True),
        change,
        f"synapse-perf bench-cgrag --{name.replace('_', '-').removeprefix('encoder-')} {number}",
        "processor time of a retrieval above its wall time: rate(process_cpu_seconds_total[5m]) against the query rate",
    )


# --- opening ---------------------------------------------------------------------------------------------------------


def _open_modes(metrics: Sequence[Metric], reference: str, confidence: float) -> list[Finding]:
    """The way to open the index whose opening and first search together are shortest from a cold page cache."""
    modes: dict[str, Metric] = {}
    for metric in measured(metrics):
        if _is_opening(metric, "open+search"):
            modes.setdefault(metric.labels["open"], metric)
    if reference not in modes or any(len(per_process(metric)) < NEEDED for metric in modes.values()):
        return []
    found = [trap for mode in modes for trap in _fault_trap(metrics, mode, modes, confidence)]
    best = min(modes, key=lambda mode: median_s(modes[mode]))
    if best == reference:
        return found
    corrected = 1 - (1 - confidence) / (len(modes) - 1)
    low, high = ratio_interval(per_process(modes[reference]), per_process(modes[best]), corrected)
    before_s, after_s = median_s(modes[reference]), median_s(modes[best])
    if low <= 1 or before_s - after_s < LAZY_AT_LEAST_S:
        return found
    cause = (
        f"opened with '{best}', a cold index answers its first search after {format_duration(after_s)} instead of "
        f"{format_duration(before_s)} with '{reference}'"
    )
    evidence: dict[str, Json] = {
        "open_and_first_search_s": {mode: median_s(metric) for mode, metric in modes.items()},
        "ratio": {"low": low, "high": high},
    }
    gain = Gain(before_s - after_s, after_s * (low - 1), after_s * (high - 1), "s", measured=True)
    check = f"synapse-perf bench-cgrag --open {best}"
    return [*found, Finding("open-mode", "medium", cause, evidence, gain, OPENING_CODE[best], check, "")]


OPENING_CODE = {
    "read": "faiss.read_index(path)",
    "mmap": "faiss.read_index(path, faiss.IO_FLAG_MMAP), which maps the lists of IVF indexes only",
    "ifc": "faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)",
    "readahead": "read the file once from beginning to end (4 MB blocks), then "
    "faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)",
}


def _fault_trap(metrics: Sequence[Metric], mode: str, modes: dict[str, Metric], confidence: float) -> list[Finding]:
    """A map that opens at once and lets the first search fault the file in page by page."""
    opening = find_stage(metrics, state="cold", open=mode, stage="open")
    first = find_stage(metrics, state="cold", open=mode, stage="first_search")
    read = modes.get("read")
    if mode != "ifc" or read is None or opening is None or first is None:
        return []
    if median_s(first) < FAULTS_EACH_PAGE * median_s(opening):
        return []
    low, _ = ratio_interval(per_process(modes[mode]), per_process(read), confidence)
    if low <= 1:
        return []
    cause = (
        f"opening by map ({mode}) takes {format_duration(median_s(opening))}, but the first search then "
        f"{format_duration(median_s(first))}: FAISS asks for no read-ahead, so each page is a fault of its own"
    )
    return [Finding("map-without-read-ahead", "info", cause, {}, None, OPENING_CODE["readahead"], "", "")]


def _is_opening(metric: Metric, stage: str) -> bool:
    labels = metric.labels
    return labels.get("stage") == stage and labels.get("state") == "cold" and "open" in labels
