"""What would a cache of query vectors, or of answers, save on a stream in which queries come again?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synapse_perf.model import Metric
from synapse_perf.report.document import Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import (
    fact_median,
    fact_values,
    format_count,
    format_interval,
    format_middle,
    interval_title,
    middle,
)
from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.units import format_duration, format_percent

SAVING, HIT_RATE, ENTRY = METRICS = ("cache_saving", "cache_hit_rate", "cache_entry_size")
_WORDS = {"embedding": "query vectors", "result": "answers"}
_LEGEND = "Saves: of each query of the stream, hit or miss, beside asking without a cache. Caches without a bound."


def caches_section(measured: Measured) -> Section | None:
    """A row for each cache and stream; None where none was tried."""
    found = [metric for metric in measured.metrics if metric.name in METRICS]
    savings = [metric for metric in found if metric.name == SAVING]
    if not savings:
        return None
    measured.mark(found)
    columns = (
        Column("cache of", shrink="wrap"),
        Column("stream"),
        Column("hit rate", "right"),
        Column("saves", "right"),
        Column(interval_title(savings), "right"),
        Column("of", "right"),
        Column("entry", "right"),
        Column("n", "right"),
    )
    beside = {(metric.name, *_place(metric)): metric for metric in found}
    rows = tuple(_row(metric, beside) for metric in sorted(savings, key=_place))
    return Section("Caches", (Table(columns, rows), Paragraph(_LEGEND + _differing(savings), "quiet")))


def _place(metric: Metric) -> tuple[str, str]:
    return metric.labels.get("stream", ""), metric.labels.get("cache", "")


def _row(saving: Metric, beside: Mapping[tuple[str, str, str], Metric]) -> Row:
    stream, cache = _place(saving)
    rate = middle(beside.get((HIT_RATE, stream, cache)))
    whole = fact_median(saving, "without_s")
    texts = (format_interval(saving), "" if whole is None else format_duration(whole))
    entry = beside.get((ENTRY, stream, cache))
    return Row(
        (
            Cell(_WORDS.get(cache, cache)),
            Cell(stream),
            Cell("none" if rate is None else format_percent(rate)),
            Cell(format_middle(saving), "strong"),
            *map(Cell, texts),
            Cell(format_middle(entry) if entry else ""),
            Cell(format_count(saving)),
        )
    )


def _differing(savings: Sequence[Metric]) -> str:
    """Answers that a cache changed, which it may not."""
    wrong = sum(sum(fact_values(metric, "differing")) for metric in savings)
    return f" {wrong:.0f} answers differ from those without a cache." if wrong else " No answer differs."
