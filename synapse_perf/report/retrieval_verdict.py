"""How long is a retrieval, cold and warm, against which limit, and what takes most of it? One sentence for each."""

from __future__ import annotations

from synapse_perf.model import Metric, Result
from synapse_perf.report.figures import format_middle, middle
from synapse_perf.report.retrieval_runs import UNCERTIFIED, Measured, Retrievals
from synapse_perf.report.retrieval_tuning import advice, tuning_of
from synapse_perf.units import format_percent, format_value

_DOING = {
    "interpreter": "starting Python",
    "import": "the import of the module",
    "encoder": "loading the encoder",
    "open": "opening the index",
    "metadata": "reading the metadata",
    "build": "the factory",
    "embed": "embedding the query",
    "glue": "the code between the stages",
    "search": "the search",
    "filter": "the relevance filter",
    "pack": "packing the context",
    "first_retrieve": "the first retrieve()",
    "residual": "what no stage names",
}


def sentences(result: Result, measured: Measured) -> list[str]:
    """What the report opens with, as far as it was measured."""
    tuning = tuning_of(result)
    index = f"Index: {advice(tuning)}." if tuning else ""
    return [text for text in (_cold(result, measured), _warm(result, measured), index) if text]


def _cold(result: Result, measured: Measured) -> str:
    """Index-cold, which has the limit, then process-cold; each named, for they are two things."""
    parts = []
    for state, name in (("cold", "index-cold"), ("process-cold", "process-cold")):
        group = measured.find(state=state) or measured.find(state=state, cache=UNCERTIFIED)
        if group is not None and group.total is not None:
            doubt = " (not certified cold)" if group.labels.get("cache") == UNCERTIFIED else ""
            largest = _largest(group)
            most = f", {largest[1]} of it {doing(largest[0])}" if largest else ""
            parts.append(f"{name} {format_middle(group.total)}{doubt}{_limit(result, group.total)}{most}")
    return f"Cold: {'; '.join(parts)}." if parts else ""


def _warm(result: Result, measured: Measured) -> str:
    group = measured.find(state="warm")
    if group is None:
        return ""
    total = group.total
    if total is None:
        metric = group.stages.get("search")
        return f"Warm: a search takes {format_middle(metric)}; vectors alone, nothing is embedded." if metric else ""
    p95 = total.summary.p95
    tail = "" if p95 is None else f", p95 {format_value(p95, total.unit)}"
    largest = _largest(group)
    most = f"; {doing(largest[0])} takes {largest[1]} of a warm retrieval" if largest else ""
    return f"Warm: p50 {format_middle(total)}{tail}{_limit(result, total)}{most}."


def _limit(result: Result, total: Metric) -> str:
    check = next((check for check in result.checks if check.metric == total.key), None)
    return f" (limit {format_value(check.limit, check.unit)})" if check else ""


def _largest(group: Retrievals) -> tuple[str, str] | None:
    """The stage that takes most, with its share; None where no stages are known."""
    total = middle(group.total)
    if not group.stages or not total:
        return None
    stages = {name: middle(metric) or 0.0 for name, metric in group.stages.items()}
    name = max(stages, key=lambda stage: stages[stage])
    return name, format_percent(stages[name] / total)


def doing(stage: str) -> str:
    """A stage as a sentence names it."""
    if stage.startswith("import."):
        return f"importing {stage.removeprefix('import.')}"
    return _DOING.get(stage, stage.replace("_", " "))
