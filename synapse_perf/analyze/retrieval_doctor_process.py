"""Do the libraries of the process get in each other's way, and does a search get more threads than it is worth?"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from synapse_perf.model import Finding, Gain, Json
from synapse_perf.units import format_duration

Facts = Mapping[str, Json]

SLOWER = 1.5
FELT_S = 0.001
PAIRS_SHARE = 0.8  # 12 of 15: by chance in fewer than 2 of 100 cases


def process_findings(examined: Facts, platform: str = sys.platform) -> list[Finding]:
    """About runtimes and threads; `platform` decides what two runtimes may do."""
    return [*_runtimes(examined.get("runtimes"), platform), *_threads(examined.get("threads"))]


def _runtimes(runtimes: Facts | None, platform: str) -> list[Finding]:
    """None where the system does not tell which libraries are loaded."""
    if runtimes is None or max(len(runtimes["openmp"]), len(runtimes["blas"])) < 2:
        return []
    both = {"openmp": "OpenMP", "blas": "BLAS"}
    twice = [f"{len(runtimes[kind])} {name}" for kind, name in both.items() if len(runtimes[kind]) > 1]
    cause = f"one process holds {' and '.join(twice)} runtimes, each with its own threads"
    evidence = {kind: list(runtimes[kind]) for kind in both}
    is_dangerous = platform == "darwin" and len(runtimes["openmp"]) > 1
    if not is_dangerous:
        return [Finding("two-openmp-runtimes", "info", f"{cause}: {_names(runtimes)}", evidence, None, "", "", "")]
    return [
        Finding(
            "two-openmp-runtimes",
            "medium",
            f"{cause} ({_names(runtimes)}), which macOS may end with an abort",
            evidence,
            None,
            "embed in a process of its own, or take FAISS and llama.cpp from one source that shares libomp; "
            "KMP_DUPLICATE_LIB_OK only hides it, and results may be wrong",
            "this finding is gone",
            "crash reports that name libomp or 'OMP: Error #15'",
        )
    ]


def _names(runtimes: Facts) -> str:
    return ", ".join(path for kind in ("openmp", "blas") if len(runtimes[kind]) > 1 for path in runtimes[kind])


def _threads(threads: Facts | None) -> list[Finding]:
    if not threads or "one_s" not in threads:
        return []
    one_s, all_s, count = threads["one_s"], threads["all_s"], threads["elsewhere"]
    is_slower = all_s >= SLOWER * one_s and all_s - one_s >= FELT_S
    if not is_slower or threads["slower_pairs"] < PAIRS_SHARE * threads["pairs"]:
        return []
    said = (
        f"omp_set_num_threads({threads['here']}) holds for the thread that called it only; others, such as those of "
        f"asyncio.to_thread, still take {count}"
        if threads["here"] != count
        else f"FAISS takes {count} threads for one query"
    )
    evidence: dict[str, Json] = {
        "threads": {"by_default": threads["default"], "in_the_main_thread": threads["here"], "in_others": count},
        "search_with_one_s": one_s,
        "search_with_all_s": all_s,
        "slower_pairs": threads["slower_pairs"],
        "pairs": threads["pairs"],
    }
    return [
        Finding(
            "openmp-threads-per-query",
            "medium",
            f"{said}: {format_duration(all_s)} here, with one thread {format_duration(one_s)}",
            evidence,
            Gain(all_s - one_s, None, None, "s", measured=True),
            "OMP_NUM_THREADS=1 before faiss is imported; or ThreadPoolExecutor(initializer=lambda: "
            "faiss.omp_set_num_threads(1)) for the threads that search",
            "OMP_NUM_THREADS=1 synapse-perf bench-cgrag: this finding is gone",
            "processor time of a search above its wall time, and the run queue longer than there are cores",
        )
    ]
