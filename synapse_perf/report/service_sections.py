"""What does a report of service-startup tell, in which order? The verdict, the median start, and what it stands on."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from synapse_perf.model import Metric, Result, TrialRecord
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import (
    Bar,
    Cell,
    Column,
    Document,
    Fields,
    Lane,
    Paragraph,
    Row,
    Section,
    Table,
    Waterfall,
)
from synapse_perf.report.figures import format_middle, format_spread, middle
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.settings import settings_section
from synapse_perf.report.targets_table import targets_section
from synapse_perf.report.verdict import verdict_section
from synapse_perf.units import format_duration, format_percent

STARTUP, PHASE, MOMENT = "service_startup_time", "phase_time", "moment_time"
MOMENTS = ("created", "started", "healthy")
PHASE_LABELS = {"first_byte": "first byte"}
IN_A_ROW = "three in a row"
_TOLD_APART = ("conditions", "floor")  # of the workload


def service_sections(result: Result) -> Document:
    starts = [one for one in result.metrics if one.name == STARTUP and one.summary.count]
    judged = [one for one in starts if not one.labels.get("variant")]
    empty = next((one for one in starts if one.labels.get("variant") == "an empty container"), None)
    parts = [
        verdict_section(result, _sentences(result, judged, empty)),
        _waterfall_section(result, judged, empty),
        _services_section(result, judged),
        _conditions_section(result),
        findings_section(result, has_notes=True),
        targets_section(result),
        comparisons_section(result),
        settings_section(_without_told(result)),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)


def _sentences(result: Result, judged: Sequence[Metric], empty: Metric | None) -> list[str]:
    told = []
    for metric in judged:
        state = metric.labels.get("cache")
        told.append(f"Ready after {format_middle(metric)}{f', {state}' if state else ''} ({format_spread(metric)}).")
    whole = middle(judged[0]) if judged else None
    if empty is not None and whole:
        share = format_percent(min((middle(empty) or 0.0) / whole, 1.0))
        told.append(f"An empty container takes {format_middle(empty)} here, {share} of that.")
    floor = result.workload.get("floor")
    if isinstance(floor, Mapping) and not (whole and floor["start_s"] > whole):
        share = f" of the {format_duration(whole)}" if whole else ""
        told.append(f"{floor['start_s']:g} s{share} is waiting for health checks: {_path_text(floor)}.")
    return told


def _path_text(floor: Mapping[str, object]) -> str:
    path = floor["path"]
    assert isinstance(path, Sequence)
    waits = [f"{wait['service']} ({wait['first_probe_s']:g} s)" for wait in path]
    return " → ".join([*waits, str(floor["service"])])


def _waterfall_section(result: Result, judged: Sequence[Metric], empty: Metric | None) -> Section | None:
    lanes = [lane for metric in judged if (lane := _lane(result, metric, empty)) is not None]
    return Section("The median start", (Waterfall(tuple(lanes)),)) if lanes else None


def _lane(result: Result, metric: Metric, empty: Metric | None) -> Lane | None:
    """One start, not medians of phases: the one whose time is nearest to the median, so that its phases add up."""
    median = middle(metric)
    if median is None:
        return None
    trial = min(metric.trials, key=lambda one: round(abs(statistics.median(one.samples) - median), 9))
    total = trial.samples[0]
    steady = trial.facts.get("steady_s", (0.0,))[0]
    until_steady = float(steady) if isinstance(steady, int | float) else 0.0
    scale = total + until_steady
    bars, at = [], 0.0
    for phase, seconds in _phases_of(result, metric, trial).items():
        label = PHASE_LABELS.get(phase, phase)
        share = format_percent(seconds / total) if total else ""
        bars.append(Bar(label, format_duration(seconds), share, at / scale, seconds / scale))
        at += seconds
    if until_steady:
        bars.append(Bar(IN_A_ROW, format_duration(until_steady), "after", at / scale, until_steady / scale, "residual"))
    if empty is not None and (cost := middle(empty)):
        share = format_percent(min(cost / total, 1.0)) if total else ""
        bars.append(Bar("(empty container)", format_middle(empty), share, 0.0, min(cost / scale, 1.0), "floor"))
    words = (metric.labels.get("started", ""), metric.labels.get("cache", ""))
    title = ", ".join(word for word in words if word)
    return Lane(title, f"{format_duration(total)} until it is ready", tuple(bars))


def _phases_of(result: Result, metric: Metric, trial: TrialRecord) -> dict[str, float]:
    """The phases of that start, in their order."""
    return {
        one.labels["phase"]: record.samples[0]
        for one in result.metrics
        if one.name == PHASE and {**one.labels, "phase": ""} == {**metric.labels, "phase": ""}
        for record in one.trials
        if (record.arm, record.process) == (trial.arm, trial.process)
    }


def _services_section(result: Result, judged: Sequence[Metric]) -> Section | None:
    """When each service of a compose file got where, on the clock of the order."""
    labels = judged[0].labels if judged else {}
    found = [one for one in result.metrics if one.name == MOMENT and labels.items() <= one.labels.items()]
    if not found:
        return None
    by_place = {(one.labels["service"], one.labels["moment"]): one for one in found}
    services = dict.fromkeys(one.labels["service"] for one in found)
    ordered = sorted(services, key=lambda name: middle(by_place.get((name, "started"))) or 0.0)
    columns = (Column("service", shrink="middle"), *(Column(name, "right") for name in MOMENTS))
    rows = tuple(
        Row((Cell(name), *(Cell(_moment_text(by_place.get((name, moment)))) for moment in MOMENTS))) for name in ordered
    )
    note = "After the order, medians, as the engine has noted them; healthy is its own check, asked only now and then."
    return Section("Services", (Table(columns, rows), Paragraph(note, "quiet")))


def _moment_text(metric: Metric | None) -> str:
    return "none" if metric is None else format_middle(metric)


def _conditions_section(result: Result) -> Section | None:
    conditions = result.workload.get("conditions")
    if not isinstance(conditions, list | tuple) or not conditions:
        return None
    rows = [tuple(str(one).partition(": ")[::2]) for one in conditions]
    return Section("New and cold at each start", (Fields(tuple((name, text) for name, text in rows)),))


def _without_told(result: Result) -> Result:
    """The settings without what has a section of its own."""
    kept = {name: value for name, value in result.workload.items() if name not in _TOLD_APART}
    return replace(result, workload=kept)
