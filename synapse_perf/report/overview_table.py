"""How do several models compare at a glance? One line each: start cold and warm, its target, the largest phases."""

from __future__ import annotations

from synapse_perf.model import Check, Metric, Result
from synapse_perf.report.document import Cell, Column, Row, Section, Table, Tone
from synapse_perf.report.figures import format_count, format_interval, format_middle, interval_title, middle
from synapse_perf.report.runs import LOAD, Run, log_of, models_of, references, runs_of
from synapse_perf.report.targets_table import STATUS_TONES, STATUS_WORDS
from synapse_perf.report.waterfall import phase_label, phases_of
from synapse_perf.units import format_percent


def overview_section(result: Result, names: dict[str, str]) -> Section | None:
    """None where one model, or none, was measured."""
    if log_of(result):
        return _loads_section(runs_of(result), names)
    runs = tuple(run for run in references(runs_of(result)) if run.startup)
    models = models_of(runs)
    if len(models) < 2:
        return None
    columns = (
        Column("model", shrink="middle"),
        Column("cold start", "right"),
        Column(interval_title(run.startup for run in runs), "right"),
        Column("n", "right"),
        Column("warm", "right"),
        Column("target"),
        Column("largest phase", shrink="wrap"),
    )
    checks = {check.metric: check for check in result.checks}
    rows = tuple(_row([run for run in runs if run.model == model], names[model], checks, result) for model in models)
    return Section("Models", (Table(columns, rows),))


def _loads_section(runs: tuple[Run, ...], names: dict[str, str]) -> Section | None:
    """The loads of one log, in its order."""
    if len(runs) < 2:
        return None
    columns = (
        Column("model", shrink="middle"),
        Column("device", shrink="middle"),
        Column("load", "right"),
        Column("largest phase", shrink="wrap"),
    )
    rows = tuple(
        Row(
            (
                Cell(names[run.model]),
                Cell(run.device or "not known"),
                Cell(format_middle(run.metric(LOAD)), "strong"),
                Cell(_largest_phase([run])),
            )
        )
        for run in runs
    )
    return Section("Loads", (Table(columns, rows),))


def _row(runs: list[Run], name: str, checks: dict[str, Check], result: Result) -> Row:
    cold = _startup(runs, "cold") or _startup(runs, "uncertified")
    warm = _startup(runs, "warm")
    status, tone = _status(cold, checks, result)
    return Row(
        (
            Cell(name),
            Cell(format_middle(cold) if cold else "none", "strong"),
            Cell(format_interval(cold)),
            Cell(format_count(cold)),
            Cell(format_middle(warm) if warm else "none"),
            Cell(status, tone),
            Cell(_largest_phase(runs)),
        )
    )


def _startup(runs: list[Run], cache: str) -> Metric | None:
    return next((run.startup for run in runs if run.cache == cache and run.startup), None)


def _status(cold: Metric | None, checks: dict[str, Check], result: Result) -> tuple[str, Tone]:
    check = checks.get(cold.key) if cold else None
    if check is None:
        return "none", "plain"
    if result.subject == "sample":
        return "sample", "plain"
    return STATUS_WORDS[check.status], STATUS_TONES[check.status]


def _largest_phase(runs: list[Run]) -> str:
    """The longest phase of the first run, with its share of the start; parts of a phase do not compete."""
    run = runs[0]
    phases = [(middle(metric) or 0.0, metric) for metric, kind in phases_of(run) if kind != "part"]
    if not phases:
        return "not known"
    length, metric = max(phases, key=lambda pair: pair[0])
    total = middle(run.startup) or sum(value for value, _ in phases)
    share = f" {format_percent(length / total)}" if total else ""
    return phase_label(metric.labels.get("phase", "")) + share
