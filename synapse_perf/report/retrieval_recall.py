"""What share of the true nearest neighbours does the index find, and does that change what is packed?"""

from __future__ import annotations

from collections.abc import Iterator

from synapse_perf.model import Fact, Metric
from synapse_perf.report.document import Fields, Section
from synapse_perf.report.figures import samples_of
from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.units import format_percent

RECALL = "recall"


def recall_section(measured: Measured) -> Section | None:
    """Of the index that was measured; the recall of candidates is told where they are compared."""
    found = [metric for metric in measured.metrics if metric.name == RECALL and "index" not in metric.labels]
    if not found:
        return None
    measured.mark(found)
    return Section("Recall", (Fields(tuple(row for metric in found for row in _rows(metric))),))


def _rows(metric: Metric) -> Iterator[tuple[str, str]]:
    k = metric.labels.get("k", "")
    others = ", ".join(f"{name}={value}" for name, value in sorted(metric.labels.items()) if name != "k")
    yield f"recall@{k}" if k else RECALL, f"{recall_text(samples_of(metric), k)}{', ' * bool(others)}{others}"
    missing = sum(value > 0 for value in _values(metric, "missing") if isinstance(value, int | float))
    if missing:
        yield "missing", f"{missing} of {metric.summary.count} queries got fewer results than they asked for"
    changed = [value for value in _values(metric, "context_changed") if isinstance(value, bool)]
    if changed:
        share = format_percent(sum(changed) / len(changed))
        told = f"{share} are not those of an exact search ({sum(changed)} of {len(changed)})"
        yield "contexts", told if any(changed) else f"all {len(changed)} are those of an exact search"
    empty = [value == 0 for value in _values(metric, "candidates") if isinstance(value, int)]
    if any(empty):
        yield "empty", f"{sum(empty)} of {len(empty)} queries find nothing that is relevant enough"


def recall_text(shares: list[float], k: str) -> str:
    """The mean over the queries with its interval."""
    import numpy as np

    from synapse_perf.retrieval.exact import recall_of

    told = recall_of(np.asarray(shares), int(k) if k.isdecimal() else 1)
    found = f"of the {k} true nearest neighbours" if k else "of the true nearest neighbours"
    # Percent with more digits than elsewhere: 0.99 and 0.999 are ten times as many misses apart.
    low, high = (f"{bound * 100:.2f}" for bound in (told.low, told.high))
    return f"{told.value * 100:.2f} % {found} are found (95 % {low}–{high} %, {told.queries} queries)"


def _values(metric: Metric, name: str) -> list[Fact]:
    return [value for trial in metric.trials for value in trial.facts.get(name, ())]
