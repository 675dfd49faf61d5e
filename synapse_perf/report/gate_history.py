"""How does the history of runs read? A line of little bars for each metric, where it goes, how far it has come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from synapse_perf.analyze.gate_history import LEAST_RUNS, NEWEST, Direction, History, Series
from synapse_perf.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Paragraph,
    PlotPoint,
    Row,
    Scatter,
    Section,
    Table,
    Tone,
)
from synapse_perf.report.figures import UNKNOWN, format_ratio, labels_of, where_of
from synapse_perf.report.scatter_plot import PLAIN, Scale
from synapse_perf.units import format_value

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "._-~=+*#"
_BARS_AT_MOST = 24
_ORDER: tuple[Direction, ...] = ("slower", "faster", "level", "too few")
_WORDS: dict[Direction, tuple[str, Tone]] = {
    "slower": ("SLOWER", "bad"),
    "faster": ("FASTER", "good"),
    "level": ("LEVEL", "plain"),
    "too few": ("TOO FEW RUNS", "quiet"),
}
_PLOTTED_FROM = 3  # runs


def history_document(history: History, pinned: str = "", *, ascii_only: bool = False) -> Document:
    """The metrics with a trend first; a single metric is plotted too."""
    ordered = sorted(history.series, key=lambda one: _ORDER.index(one.direction))
    blocks: list[Block] = [Paragraph(f"{history.benchmark}: {_counted(history)}", "strong")]
    if count := history.left_out:
        told = f"{count} run{'s' * (count > 1)} of other machines, workloads or profiles {'are' if count > 1 else 'is'}"
        blocks.append(Paragraph(f"{told} left out.", "quiet"))
    if pinned:
        newest = min(NEWEST, len(history.runs))
        told = f"the newest {newest} (their median)" if newest > 1 else "the newest run"
        blocks.append(Paragraph(f"Since {pinned}: {told} over what is pinned.", "quiet"))
    sections = [Section("", tuple(blocks))]
    if ordered:
        sections.append(Section("Metrics", (_table(ordered, pinned, ascii_only),)))
    if len(ordered) == 1 and len(ordered[0].values) >= _PLOTTED_FROM:
        sections.append(Section("Over runs", (_plot(ordered[0]),)))
    return tuple(sections)


def history_json(history: History) -> str:
    """As data, in base units, the oldest run first."""
    document = {
        "kind": "history",
        "schema_version": 1,
        "benchmark": history.benchmark,
        "runs": [
            {"started_at": run.started_at, "revision": run.environment.git.get("revision")} for run in history.runs
        ],
        "left_out": history.left_out,
        "series": [asdict(one) for one in history.series],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def sparkline(values: Sequence[float], *, ascii_only: bool = False) -> str:
    """The newest values as bars from their least to their largest."""
    shown = values[-_BARS_AT_MOST:]
    bars = ASCII_BARS if ascii_only else BARS
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    if high <= low:
        return bars[0] * len(shown)
    return "".join(bars[min(int((value - low) / (high - low) * len(bars)), len(bars) - 1)] for value in shown)


def _counted(history: History) -> str:
    count = len(history.runs)
    first, last = (history.runs[place].started_at[:10] for place in (0, -1))
    days = f", {first} to {last}" if first else ""
    few = f"; a trend needs {LEAST_RUNS}" if count < LEAST_RUNS else ""
    return f"{count} run{'s' * (count != 1)}{days}{few}"


def _table(series: Sequence[Series], pinned: str, ascii_only: bool) -> Table:
    columns = [
        Column("metric", shrink="wrap"),
        Column("runs"),
        Column("newest", "right"),
        Column("per run", "right"),
        *([Column(f"since {pinned}", "right")] if pinned else []),
        Column("trend"),
    ]
    return Table(tuple(columns), tuple(_row(one, pinned, ascii_only) for one in series))


def _row(one: Series, pinned: str, ascii_only: bool) -> Row:
    labels = labels_of(one.metric, {})
    word, tone = _WORDS[one.direction]
    cells = [
        Cell(f"{one.metric.partition('{')[0]} {labels.get('phase', '')}".strip()),
        Cell(sparkline(one.values, ascii_only=ascii_only)),
        Cell(format_value(one.values[-1], one.unit) if one.values else UNKNOWN),
        Cell(UNKNOWN if one.per_run is None else f"{one.per_run - 1:+.1%}".replace("%", " %")),
        *([Cell(format_ratio(one.drift))] if pinned else []),
        Cell(word, tone),
    ]
    return Row(tuple(cells), where_of(labels))


def _plot(one: Series) -> Scatter:
    places = [float(place) for place in range(1, len(one.values) + 1)]
    x, y = Scale.around(places), Scale.around(one.values)
    points = tuple(PlotPoint(x.share(at), y.share(value), PLAIN) for at, value in zip(places, one.values, strict=True))
    return Scatter(
        x.axis("run", lambda at: f"{at:.0f}"), y.axis(one.metric, lambda at: format_value(at, one.unit)), points
    )
