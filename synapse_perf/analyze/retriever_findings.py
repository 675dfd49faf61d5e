"""What should change in a user's own retriever? What its first query waits for, and what its imports cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.retrieval_doctor_process import process_findings
from synapse_perf.analyze.retrieval_stages import median_s, per_process, stages_of
from synapse_perf.analyze.retriever_seen import Seen
from synapse_perf.analyze.summary import median_interval
from synapse_perf.host.loaded_libraries import thread_runtimes
from synapse_perf.model import Finding, Gain, Json, Metric, Severity
from synapse_perf.units import format_bytes, format_duration, format_percent

NEEDED = 6  # processes, as everywhere
FELT_S = 0.005  # below it nobody feels the loading
SHARE = 0.2  # of the first answer
IMPORTS_DOMINATE = 0.5  # of a cold process
HEAVY_S = 0.05
BATCH_HELPS = 1.25  # times as fast
ROUNDS_SHARE = 0.8  # in which it has to be faster
FIRST_QUERY = "first_retrieve"
MEASURE_AGAIN = "synapse-perf bench-cgrag --retriever again"


def retriever_findings(metrics: Sequence[Metric], seen: Seen, limit_s: float, confidence: float) -> list[Finding]:
    """Every finding of the first answer and of what the probe saw; `limit_s` is that of the cold retrieval."""
    return [
        *_lazy_index(metrics, seen, limit_s, confidence),
        *_slow_factory(metrics, seen, limit_s, confidence),
        *_heavy_imports(metrics, seen),
        *_data_read_on_import(seen),
        *_one_by_one(seen),
        *process_findings({"runtimes": thread_runtimes(seen.libraries)}),
    ]


# --- the first answer ------------------------------------------------------------------------------------------------


def _lazy_index(metrics: Sequence[Metric], seen: Seen, limit_s: float, confidence: float) -> list[Finding]:
    """What the factory leaves to the first query: that one against the first after another was answered.

    The time of the factory itself is no part of it, as a service can call that before anybody asks.
    """
    cold, preloaded = stages_of(metrics, "cold"), stages_of(metrics, "preloaded").get("total")
    if not {"total", FIRST_QUERY} <= set(cold) or preloaded is None:
        return []
    slow, fast = per_process(cold[FIRST_QUERY]), per_process(preloaded)
    if min(len(slow), len(fast)) < NEEDED or min(*slow, *fast) <= 0:
        return []
    low, high = ratio_interval(slow, fast, confidence)
    total_s, first_s, later_s = median_s(cold["total"]), median_s(cold[FIRST_QUERY]), median_s(preloaded)
    gain = Gain(first_s - later_s, later_s * (low - 1), later_s * (high - 1), "s", measured=True)
    if later_s * (low - 1) < FELT_S or gain.value < SHARE * total_s:
        return []
    cause = (
        f"the factory leaves loading to the first query: the first retrieve() takes {format_duration(first_s)}, "
        f"the next one {format_duration(later_s)}{_importing(seen, FIRST_QUERY, seen.first_retrieve_s)}"
    )
    evidence: dict[str, Json] = {
        "first_answer_s": total_s,
        "factory_s": total_s - first_s,
        "first_retrieve_s": first_s,
        "preloaded_retrieve_s": later_s,
        "processes": cold["total"].summary.processes,
        **_late_imports(seen, FIRST_QUERY),
    }
    return [
        Finding(
            "lazy-index",
            _severity(total_s, later_s, limit_s),
            cause,
            evidence,
            gain,
            "load in the factory what retrieve() needs, or let the service answer one query before it reports that it "
            "is ready: retriever = build(); retriever.retrieve('warm up')",
            "the row 'preloaded' of this report is the first query with that change; measure it again afterwards",
            _alert(limit_s),
        )
    ]


def _slow_factory(metrics: Sequence[Metric], seen: Seen, limit_s: float, confidence: float) -> list[Finding]:
    """A factory that takes much of the limit: somebody waits for it, unless it is called before."""
    cold = stages_of(metrics, "cold")
    if not {"total", "build"} <= set(cold):
        return []
    build_s, total_s = median_s(cold["build"]), median_s(cold["total"])
    interval = median_interval(per_process(cold["build"]), confidence)
    if interval is None or interval.low < FELT_S or build_s < SHARE * total_s or total_s <= limit_s / 2:
        return []
    return [
        Finding(
            "slow-factory",
            "medium" if total_s > limit_s else "low",
            f"the factory takes {format_duration(build_s)} of the {format_duration(total_s)} to the first answer"
            f"{_importing(seen, 'build', seen.build_s)}: whoever asks first waits for it, unless it is called before",
            {"factory_s": build_s, "first_answer_s": total_s, **_late_imports(seen, "build")},
            Gain(build_s, interval.low, interval.high, "s", measured=True),
            "call the factory when the service starts (FastAPI: in its lifespan), not in the request that needs it "
            "first; a service that does so already has this behind it when it is ready",
            "the service answers its first query after a start as fast as the row 'preloaded' says",
            _alert(limit_s),
        )
    ]


def _severity(total_s: float, without_s: float, limit_s: float) -> Severity:
    """High where the limit is missed for this reason."""
    if total_s > limit_s:
        return "high" if without_s <= limit_s else "medium"
    return "medium" if total_s > limit_s / 2 else "low"


def _alert(limit_s: float) -> str:
    return (
        "the first retrieval after a start: alert over the limit for cold retrieval, "
        f"histogram_quantile(0.5, retrieval_first_seconds) > {limit_s:g}"
    )


def _importing(seen: Seen, during: str, of_s: float) -> str:
    """What is imported then, if that is a good part of it; of the probe's own time, which is longer."""
    late = _late(seen, during)
    if not late or sum(late.values()) < SHARE * of_s:
        return ""
    return f" (about {format_percent(min(1.0, sum(late.values()) / of_s))} of it is importing {next(iter(late))})"


def _late_imports(seen: Seen, during: str) -> dict[str, Json]:
    late = _late(seen, during)
    return {"late_imports_s": late} if late else {}


def _late(seen: Seen, during: str) -> dict[str, float]:
    return {name: seconds for name, seconds, when in seen.late_imports if when == during}


# --- imports ---------------------------------------------------------------------------------------------------------


def _heavy_imports(metrics: Sequence[Metric], seen: Seen) -> list[Finding]:
    """The module that costs the most of a cold process, where imports are most of it."""
    stages = stages_of(metrics, "process-cold")
    if not {"total", "import"} <= set(stages) or not seen.imports:
        return []
    imports_s, total_s = median_s(stages["import"]), median_s(stages["total"])
    name, heaviest_s = seen.imports[0]
    about_s = imports_s * heaviest_s / max(seen.import_s, heaviest_s)
    if imports_s < IMPORTS_DOMINATE * total_s or about_s < HEAVY_S:
        return []
    cause = (
        f"imports take {format_duration(imports_s)} of the {format_duration(total_s)} from the start of a process to "
        f"its first answer, {name} the most: about {format_duration(about_s)}"
    )
    evidence: dict[str, Json] = {
        "imports_s": imports_s,
        "process_cold_s": total_s,
        "without_those_within_s": dict(seen.imports),
        "processes": stages["total"].summary.processes,
    }
    return [
        Finding(
            "heavy-imports",
            "low",
            cause,
            evidence,
            Gain(about_s, None, None, "s", measured=False),
            f"import {name} in the function that needs it, if retrieve() does not; or keep the process, so that no "
            "query waits for its start",
            f"python -X importtime -c 'import ...' names each module; {MEASURE_AGAIN}: the row 'import'",
            "",
        )
    ]


def _data_read_on_import(seen: Seen) -> list[Finding]:
    """Files of data that every process reads which only imports the module."""
    early = seen.early_files()
    if not early:
        return []
    largest, others = early[0], len(early) - 1
    verb = f"and {others} more are" if others else "is"
    name = PurePath(largest.path).name
    return [
        Finding(
            "data-read-on-import",
            "low",
            f"{name} ({format_bytes(largest.size_bytes)}) {verb} read while the module is imported: every process "
            "that imports it pays for that, tests and tools as well, and nothing can be told of it or retried",
            {"files": [[PurePath(file.path).name, file.size_bytes] for file in early], "import_s": seen.import_s},
            None,
            "read it in the factory",
            f"{MEASURE_AGAIN}: this finding is gone, and the state cold has the reading in its row 'factory'",
            "",
        )
    ]


# --- embedding -------------------------------------------------------------------------------------------------------

_IN_ONE_CALL = {
    "sentence_transformers": "encoder.encode(texts, batch_size=32) once, in place of encoder.encode(text) for each",
    "fastembed": "list(encoder.embed(texts)) once, in place of encoder.embed([text]) for each",
    "llama_cpp": "encoder.embed(texts) once, in place of encoder.embed(text) for each",
}
_STEPS = {"import": "while the module is imported", "build": "by the factory"}


def _one_by_one(seen: Seen) -> list[Finding]:
    """Only where one call with the same texts was measured to be faster: on many machines it is not."""
    found = seen.embedding
    if found is None or found.faster_rounds < ROUNDS_SHARE * found.rounds or found.one_s < BATCH_HELPS * found.batch_s:
        return []
    saved_s = found.calls * (found.one_s - found.batch_s)
    if saved_s < FELT_S:
        return []
    where = _STEPS.get(found.during, "for one query")
    evidence: dict[str, Json] = {
        "library": found.library,
        "during": found.during,
        "calls": found.calls,
        "one_by_one_s": found.one_s,
        "in_one_call_s": found.batch_s,
        "texts_in_one_call": found.batch,
    }
    return [
        Finding(
            "texts-embedded-one-by-one",
            "low" if found.during in _STEPS else "medium",
            f"{found.calls} texts are embedded one by one {where}, {format_duration(found.one_s)} each: in one call "
            f"with {found.batch} of them {format_duration(found.batch_s)} each",
            evidence,
            Gain(saved_s, None, None, "s", measured=False),
            _IN_ONE_CALL[found.library],
            f"{MEASURE_AGAIN}: this finding is gone",
            "calls of the encoder for each text that is indexed, counted where it is called: above 1 / batch size",
        )
    ]
