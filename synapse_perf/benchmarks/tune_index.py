"""How fast does each candidate index answer at the recall that is wanted, and what does it take to build?

One sample for each setting that was measured. The first sample of a candidate carries what holds for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.retrieval.candidate_files import CandidateFile, TuningSet
    from synapse_perf.retrieval.exact import Recall
    from synapse_perf.retrieval.operating_points import Operating

FIRST_IMPORT = None
METRICS = {
    "recall": MetricDefinition("recall", "1", "higher", "share of the true nearest neighbours that a search finds")
}
CURRENT = "current"
EXACT = "Flat"  # compares everything: what is missing is a tie that rounding broke, and other queries tell no more
SAMPLE = 100  # queries that show what an index reads


def measure(context: Context) -> Iterator[Sample]:
    """The settings of each candidate of the workload, on all vectors of a prepared set or on some."""
    from pathlib import Path

    from synapse_perf.retrieval.candidate_files import TuningSet

    work = context.workload
    context.stage("finding the true neighbours")
    try:
        prepared = TuningSet(Path(work["directory"]), work["metric"], work["k"], work["rows"], work["queries"])
        prepared.exact()
    except (OSError, ValueError) as error:
        raise BenchmarkFailed("error", f"cannot read the vectors: {error}", "prepare them again") from error
    limit_s = work["limit_s"] or math.inf
    for candidate in work["candidates"]:
        samples = list(_candidate(context, prepared, candidate, limit_s))
        yield from samples
        best = samples[0].facts
        if best["suffices"]:
            limit_s = min(limit_s, work["slack"] * float(best["p50_s"]))  # type: ignore[arg-type]


def _candidate(context: Context, prepared: TuningSet, candidate: Mapping[str, Any], limit_s: float) -> Iterator[Sample]:
    from synapse_perf.retrieval.indexes import FAMILIES, Candidate, Range, compared_share, ranges_of
    from synapse_perf.retrieval.operating_points import explore, fastest
    from synapse_perf.retrieval.point_meter import PointMeter

    family = candidate["family"]
    if family == CURRENT:
        context.stage("measuring the current index")
        name, index, file = _current(prepared)
        ranges: Any = [Range(key, (value,)) for key, value in candidate["point"].items()]
    else:
        name = Candidate(family, candidate["size"]).factory(prepared.rows)
        context.stage(f"building {name}")
        index, file = _built(prepared, name)
        ranges = ranges_of(FAMILIES[family], index, prepared.k)
        context.stage(f"measuring {name}")
    is_first_look = context.workload["queries"] is not None
    meter = PointMeter(
        index,
        prepared.vectors,
        prepared.queries,
        prepared.exact(),
        prepared.metric,
        wanted=context.workload["recall"],
        threads=prepared.threads,
        is_first_look=is_first_look,
    )

    def suffices(recall: Recall) -> bool:
        return _suffices(recall, context.workload, family)

    near = candidate.get("near")
    points = explore(ranges, meter.measure, suffices, limit_s=limit_s, is_first_look=is_first_look, near=near)
    best = fastest(points, suffices) or max(points, key=lambda point: point.recall.value)
    points = [best, *(point for point in points if point is not best)]
    share = compared_share(index, prepared.queries[:SAMPLE], prepared.k, best.point)
    whole = {"compared_share": share, **(_floors(meter, best, file) if prepared.is_whole else {})}
    for place, point in enumerate(points):
        facts = {**_facts(prepared, file, candidate), "suffices": suffices(point.recall)}
        yield _sample(family, name, point, {**facts, **({} if place else whole)})


def _suffices(recall: Recall, work: Mapping[str, Any], family: str) -> bool:
    """Shown by the interval, or, where the queries are too few to show it of any index, by the estimate."""
    if family == EXACT:
        return True
    return bool((recall.low if work["shown"] else recall.value) >= work["recall"])


def _built(prepared: TuningSet, name: str) -> tuple[Any, CandidateFile]:
    try:
        return prepared.built(name)
    except (RuntimeError, OSError) as error:
        words = str(error).strip().splitlines()[-1]
        raise BenchmarkFailed("error", f"cannot build {name}: {words}", "leave the family out") from error


def _current(prepared: TuningSet) -> tuple[str, Any, CandidateFile]:
    from synapse_perf.retrieval import candidate_files
    from synapse_perf.retrieval.opening import IndexUnusable, open_index

    path = prepared.directory / candidate_files.CURRENT
    try:
        index = open_index(str(path))
    except IndexUnusable as error:
        raise BenchmarkFailed("error", f"cannot open {path.name}: {error}", "build the index again") from error
    if index.d != prepared.vectors.shape[1] or index.ntotal != prepared.rows:
        holds = f"{index.ntotal} vectors of {index.d} dimensions"
        wanted = f"{prepared.rows} of {prepared.vectors.shape[1]}"
        raise BenchmarkFailed("error", f"{path.name} holds {holds}, not {wanted}", "build the index again")
    return CURRENT, index, candidate_files.CandidateFile(path, path.stat().st_size, None)


def _floors(meter: Any, best: Operating, file: CandidateFile) -> dict[str, Fact]:
    """What bounds a query at the best setting: bytes over bandwidth, page faults, the call itself."""
    import resource

    from synapse_perf.retrieval.indexes import scanned_bytes
    from synapse_perf.retrieval.speeds import call_s, fault_s, read_bandwidth

    before = resource.getrusage(resource.RUSAGE_SELF)
    queries = len(meter.latencies(best.point))
    after = resource.getrusage(resource.RUSAGE_SELF)
    faults = after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt
    return {
        "scanned_bytes": scanned_bytes(meter.index, meter.queries[:SAMPLE], meter.k, best.point),
        "read_bandwidth": read_bandwidth(file.size_bytes),
        "call_s": call_s(meter.queries.shape[1]),
        "faults_per_query": faults / queries,
        "fault_s": fault_s(),
    }


def _facts(prepared: TuningSet, file: CandidateFile, candidate: Mapping[str, Any]) -> dict[str, Fact]:
    return {
        "size": candidate.get("size", 0),
        "rows": prepared.rows,
        "dimension": prepared.vectors.shape[1],
        "file": str(file.path.relative_to(prepared.directory)),  # results may be published
        "file_bytes": file.size_bytes,
        "build_s": file.build_s,
    }


def _sample(family: str, name: str, point: Operating, facts: Mapping[str, Fact]) -> Sample:
    parameters = ",".join(f"{key}={value}" for key, value in point.point.items())
    labels = {"family": family, "index": name, "parameters": parameters}
    own: dict[str, Fact] = {
        "recall_low": point.recall.value if family == EXACT else point.recall.low,
        "recall_high": point.recall.value if family == EXACT else point.recall.high,
        "recall_queries": point.recall.queries,
        "p50_s": point.p50_s,
        "p95_s": point.p95_s,
        "p95_low_s": point.p95_low_s,
        "p95_high_s": point.p95_high_s,
        "timed": point.timed,
    }
    return Sample((Measurement("recall", point.recall.value, labels),), {**own, **facts})
