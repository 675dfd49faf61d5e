"""What would a run do, how long would it take and how much would it read? Shown before anything starts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from synapse_perf.report.document import Block, Cell, Column, Document, Fields, Paragraph, Row, Section, Table
from synapse_perf.report.figures import UNKNOWN
from synapse_perf.report.render import Format, document_text
from synapse_perf.units import format_bytes, format_duration


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One arm of the run; `seconds_each` is None where nothing tells how long it takes.

    One that is only compared is left out where there is no time: then the repeats are the most, and not the least.
    """

    name: str
    repeats_at_least: int
    seconds_each: float | None
    bytes_read_each: int
    bytes_written_each: int = 0
    is_at_most: bool = False


@dataclass(frozen=True, slots=True)
class DryRun:
    """All steps of a run, what it would write, and the time after which it starts no more trials."""

    benchmark: str
    profile: str
    steps: tuple[PlanStep, ...]
    outputs: tuple[str, ...] = ()
    max_time_s: float | None = None
    notes: tuple[str, ...] = ()


def render_plan(
    plan: DryRun,
    kind: Format = "console",
    *,
    width: int | None = None,
    color: bool | None = None,
    ascii_only: bool | None = None,
) -> str:
    """The plan as text that ends with a line break; what is not given follows stdout."""
    if kind == "json":
        return json.dumps({"kind": "plan", **asdict(plan)}, indent=2) + "\n"
    return document_text(plan_document(plan), kind, width=width, color=color, ascii_only=ascii_only)


def plan_document(plan: DryRun) -> Document:
    least = sum(step.repeats_at_least for step in plan.steps if not step.is_at_most)
    compared = sum(step.repeats_at_least for step in plan.steps if step.is_at_most)
    trials = f"at least {least}" + (f", up to {compared} of what is compared" if compared else "")
    summary = f"Dry run of {plan.benchmark} (profile {plan.profile}): nothing was measured"
    blocks: list[Block] = [_steps_table(plan.steps)] if plan.steps else [Paragraph("Nothing would be measured.")]
    known = [step.seconds_each * step.repeats_at_least for step in plan.steps if step.seconds_each is not None]
    unknown = len(plan.steps) - len(known)
    time = format_duration(sum(known)) if known else _no_estimate(plan)
    if known and unknown:
        time += f" and {unknown} step{'s' if unknown > 1 else ''} whose time is {UNKNOWN}"
    limit = UNKNOWN if plan.max_time_s is None else format_duration(plan.max_time_s)
    totals = (
        ("trials", f"{trials}; more while a check is undecided"),
        ("time", f"about {time}" if known else time),
        ("limit", f"no new trial after {limit}" if plan.max_time_s is not None else "none"),
        *_bytes("reads", [step.bytes_read_each * step.repeats_at_least for step in plan.steps]),
        *_bytes("writes", [step.bytes_written_each * step.repeats_at_least for step in plan.steps]),
        ("outputs", "\n".join(plan.outputs) or "none but stdout and the saved run"),
    )
    sections = [
        Section("", (Paragraph(summary, "strong"),)),
        Section("Steps", tuple(blocks)),
        Section("In all", (Fields(totals),)),
    ]
    if plan.notes:
        sections.append(Section("Notes", tuple(Paragraph(note, marker="-") for note in plan.notes)))
    return tuple(sections)


def _bytes(name: str, each: list[int]) -> list[tuple[str, str]]:
    """Left out where no step is known to: a page or a service is not read from a file."""
    return [(name, format_bytes(sum(each)))] if any(each) else []


def _no_estimate(plan: DryRun) -> str:
    """What is asked for as long as there is time ends with the limit at the latest."""
    return UNKNOWN if plan.max_time_s is None else "until all is decided, or the limit"


def _steps_table(steps: tuple[PlanStep, ...]) -> Table:
    columns = (
        Column("step", shrink="wrap"),
        Column("times", "right"),
        Column("each", "right"),
        Column("together", "right"),
        Column("reads each", "right"),
        Column("writes each", "right"),
    )
    unknown = UNKNOWN if any(step.seconds_each is not None for step in steps) else ""  # an empty column is not shown
    unread = "none" if any(step.bytes_read_each for step in steps) else ""
    return Table(columns, tuple(_row(step, unknown, unread) for step in steps))


def _row(step: PlanStep, unknown: str, unread: str) -> Row:
    each, times = step.seconds_each, step.repeats_at_least
    cells = (
        step.name,
        f"up to {times}" if step.is_at_most else f"≥ {times}",
        unknown if each is None else f"~{format_duration(each)}",
        unknown if each is None else f"~{format_duration(each * times)}",
        format_bytes(step.bytes_read_each) if step.bytes_read_each else unread,
        format_bytes(step.bytes_written_each) if step.bytes_written_each else "",
    )
    return Row(tuple(map(Cell, cells)))
