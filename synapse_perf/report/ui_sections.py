"""What does a report of ui-fps tell, in which order? The verdict, the frames, who held them up, then the page."""

from __future__ import annotations

from synapse_perf.analyze.ui_fitness import CONTROL_S, why_unfit
from synapse_perf.analyze.ui_frames import metric_named, page_facts, page_number, stalls_of, waiting_frames
from synapse_perf.analyze.ui_targets import RATE, SHOWN_SHARE, STALLS
from synapse_perf.model import Result
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Cell, Column, Document, Paragraph, Row, Section, Table
from synapse_perf.report.figures import format_middle, samples_of
from synapse_perf.report.findings_list import findings_section
from synapse_perf.report.problems import problem_sections
from synapse_perf.report.settings import settings_section
from synapse_perf.report.targets_table import targets_section
from synapse_perf.report.ui_frames import strip_section
from synapse_perf.report.ui_page import page_section, rounds_section
from synapse_perf.report.verdict import verdict_section
from synapse_perf.units import format_duration, three_digits

STALLS_SHOWN = 5


def ui_sections(result: Result) -> Document:
    parts = [
        verdict_section(result, _figures(result)),
        strip_section(result),
        _stalls_section(result),
        _browsers_section(result),
        rounds_section(result),
        page_section(result),
        findings_section(result),
        targets_section(result),
        comparisons_section(result),
        settings_section(result),
        *problem_sections(result),
    ]
    return tuple(part for part in parts if part is not None)


def _figures(result: Result) -> list[str]:
    """Stalls, the rate that was shown, and the control page, in a sentence each."""
    stalls, rate = metric_named(result.metrics, STALLS), metric_named(result.metrics, RATE)
    if stalls is None:
        return []
    frames = metric_named(result.metrics, "frame_interval")
    longest = f", longest frame {format_duration(max(samples_of(frames)))}" if frames else ""
    told = [f"Main thread: {format_middle(stalls)} stalls in 10 s{longest}."]
    if rate is not None:
        asked = SHOWN_SHARE * float(result.workload.get("rate_asked") or 0.0)
        how = "drawn in software, and so not judged" if rate.labels.get("variant") else f"at least {asked:g} are needed"
        told.append(f"Shown: {_rate(format_middle(rate))} ({how}).")
    else:
        told.append("Shown: nothing on the page is animated, so that it has no rate.")
    return [*told, _control(result)]


def _control(result: Result) -> str:
    unfit = why_unfit(result.metrics, float(result.workload.get("rate_asked") or 0.0))
    if unfit:
        return f"Not this machine: {unfit}."
    rate = page_number(result.metrics, "control_rate")
    shown = f", {three_digits(rate)} frames a second" if rate is not None else ""
    return f"Control page: {page_number(result.metrics, 'control_stalls') or 0:g} stalls in {CONTROL_S:g} s{shown}."


def _rate(text: str) -> str:
    return text.replace(" 1/s", " frames a second")


def _stalls_section(result: Result) -> Section | None:
    """None where no frame was late."""
    found, waiting = stalls_of(result.metrics), waiting_frames(result.metrics)
    count = len(waiting)
    if not found and not any(waiting):
        return None
    columns = (
        Column("who had the main thread", shrink="wrap"),
        Column("times", "right"),
        Column("ran for", "right"),
        Column("longest frame", "right"),
        Column("browsers", "right"),
    )
    rows = [
        Row(
            (
                Cell(one.holder.name, "strong"),
                Cell(str(one.count)),
                Cell(format_duration(one.held_s / one.count)),
                Cell(format_duration(max(one.intervals_s))),
                Cell(f"{one.browsers} of {count}"),
            )
        )
        for one in found[:STALLS_SHOWN]
    ]
    blocks: list[Paragraph | Table] = [Table(columns, tuple(rows))] if rows else []
    if len(found) > STALLS_SHOWN:
        rest = sum(one.count for one in found[STALLS_SHOWN:])
        blocks.append(Paragraph(f"And {len(found) - STALLS_SHOWN} more functions, {rest} times together.", "quiet"))
    if any(waiting):
        late = sum(waiting)
        text = (
            f"{late} more frame{'s' if late > 1 else ''} came late while the main thread had nothing to do: drawing, "
            "or the machine, was late. No stall of the page's scripts; not counted as one."
        )
        blocks.append(Paragraph(text))
    return Section("Late frames", tuple(blocks))


def _browsers_section(result: Result) -> Section | None:
    stalls, rate = metric_named(result.metrics, STALLS), metric_named(result.metrics, RATE)
    if stalls is None:
        return None
    shown = {record.process: record.samples[0] for record in rate.trials} if rate else {}
    frames = metric_named(result.metrics, "frame_interval")
    longest = {record.process: max(record.samples) for record in frames.trials} if frames else {}
    columns = (
        Column("browser"),
        Column("stalls in 10 s", "right"),
        Column("shown/s", "right"),
        Column("longest", "right"),
        Column("control: stalls", "right"),
        Column("shown/s", "right"),
    )
    control = page_facts(result.metrics, "control_stalls"), page_facts(result.metrics, "control_rate")
    rows = tuple(
        Row(
            tuple(
                map(
                    Cell,
                    (
                        str(record.process),
                        three_digits(record.samples[0]),
                        three_digits(shown[record.process]) if record.process in shown else "none",
                        format_duration(longest[record.process]) if record.process in longest else "not known",
                        str(control[0][place]) if place < len(control[0]) else "not known",
                        three_digits(float(str(control[1][place]))) if place < len(control[1]) else "not known",
                    ),
                )
            )
        )
        for place, record in enumerate(stalls.trials)
    )
    return Section("Browsers", (Table(columns, rows),))
