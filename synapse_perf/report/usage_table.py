"""What does each phase spend its time on? Processor, waiting for one, being blocked, and what it reads and touches."""

from __future__ import annotations

from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import UNKNOWN, fact_median, format_middle, middle
from synapse_perf.report.runs import Run
from synapse_perf.report.waterfall import CACHE_TITLES, phase_label, phases_of
from synapse_perf.units import format_bytes, format_duration

_LEAST_SHARE = 0.01  # of the start; what is shorter is no place to look at
_LEGEND = (
    "Medians of the loading thread, for phases of at least 1 % of the start. Blocked: by the disk, a lock or sleep; "
    "queued: ready, but without a core. Major and minor: page faults."
)
_TIMES = ("on_cpu_s", "blocked_s", "run_queue_s")


def usage_section(runs: tuple[Run, ...], names: dict[str, str]) -> Section | None:
    """A table for each model, of its first run that noted what its phases used: the cold one; None without any."""
    blocks: list[Block] = []
    shown: set[str] = set()
    for run in runs:
        rows = _rows(run)
        if rows and run.model not in shown:
            shown.add(run.model)
            where = (names[run.model], run.device, CACHE_TITLES.get(run.cache, run.cache))
            blocks += [Paragraph(", ".join(part for part in where if part), "strong"), Table(_columns(), rows)]
    if not blocks:
        return None
    return Section("What the phases spend", (*blocks, Paragraph(_LEGEND, "quiet")))


def _columns() -> tuple[Column, ...]:
    titles = ("time", "on CPU", "blocked", "queued", "read", "major", "minor")
    return (Column("phase"), *(Column(title, "right") for title in titles))


def _rows(run: Run) -> tuple[Row, ...]:
    startup = run.startup
    total = middle(startup)
    if startup is None or not total:
        return ()
    return tuple(
        _row(metric, startup)
        for metric, kind in phases_of(run)
        if kind == "phase" and _is_known(metric, startup) and (middle(metric) or 0.0) >= _LEAST_SHARE * total
    )


def _is_known(metric: Metric, startup: Metric) -> bool:
    return any(_fact(metric, startup, name) is not None for name in _TIMES)


def _fact(metric: Metric, startup: Metric, name: str) -> float | None:
    return fact_median(startup, f"{metric.labels.get('phase', '')}.{name}")


def _row(metric: Metric, startup: Metric) -> Row:
    times = [_fact(metric, startup, name) for name in _TIMES]
    read = _fact(metric, startup, "read_bytes")
    faults = [_fact(metric, startup, f"{kind}_faults") for kind in ("major", "minor")]
    texts = (
        phase_label(metric.labels.get("phase", "")),
        format_middle(metric),
        *(UNKNOWN if value is None else format_duration(value) for value in times),
        UNKNOWN if read is None else format_bytes(read),
        *(UNKNOWN if value is None else f"{value:.0f}" for value in faults),
    )
    return Row(tuple(map(Cell, texts)))
