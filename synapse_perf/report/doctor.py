"""How does the check-up of a machine read?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from synapse_perf.host.condition import Condition, State
from synapse_perf.host.privacy import redact, shorten_home
from synapse_perf.model import Environment
from synapse_perf.report.document import Block, Cell, Column, Document, Fields, Paragraph, Row, Section, Table, Tone

_SCHEMA_VERSION = 1
_TONES: dict[State, Tone] = {"ok": "good", "warning": "warn", "unavailable": "bad", "unknown": "quiet"}
_COLUMNS = (Column("state"), Column("what"), Column("found", shrink="wrap"))


def document(conditions: Sequence[Condition], environment: Environment, *, can_measure: bool) -> Document:
    """The verdict, one line for each condition with its remedy below it, and the classes that results will carry."""
    return (
        Section("", (_verdict(conditions, can_measure),)),
        Section("Conditions", (Table(_COLUMNS, tuple(_row(shown) for shown in map(_shortened, conditions))),)),
        Section("Environment", _environment(environment)),
    )


def to_json(conditions: Sequence[Condition], environment: Environment, *, can_measure: bool) -> str:
    """The same as data, without the names of the person and the machine."""
    data = {
        "kind": "doctor",
        "schema_version": _SCHEMA_VERSION,
        "can_measure": can_measure,
        "conditions": [{**asdict(one), "what": redact(one.what), "remedy": redact(one.remedy)} for one in conditions],
        "environment": asdict(environment),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _verdict(conditions: Sequence[Condition], can_measure: bool) -> Paragraph:
    if not can_measure:
        return Paragraph("Models cannot be loaded here: see what is unavailable below.", "bad")
    warnings = [one for one in conditions if one.state == "warning"]
    if not warnings:
        return Paragraph("Ready: nothing was found that would spoil a measurement.", "good")
    spoiled = sorted({purpose for one in warnings for purpose in one.spoils})
    noun = "condition spoils" if len(warnings) == 1 else "conditions spoil"
    return Paragraph(f"Ready, but {len(warnings)} {noun} measurements: {', '.join(spoiled)}.", "warn")


def _row(one: Condition) -> Row:
    cells = (Cell(one.state, _TONES[one.state]), Cell(one.name), Cell(one.what))
    return Row(cells, f"remedy: {one.remedy}" if one.remedy else "")


def _environment(environment: Environment) -> tuple[Block, ...]:
    hardware, software = environment.hardware_class, environment.software_class
    gpus = ", ".join(hardware["gpus"]) or "no GPU"
    cores, memory = hardware["usable_cores"], hardware["memory_gib_pow2"]
    rows = (
        ("hardware class", f"{hardware['digest']}: {hardware['cpu_model']}, {cores} cores, {memory} GiB class, {gpus}"),
        ("software class", f"{software['digest']}: {software['os']}, {software['libc']}, {software['python']}"),
    )
    return (Fields(rows),)


def _shortened(one: Condition) -> Condition:
    return replace(one, what=shorten_home(one.what), remedy=shorten_home(one.remedy))
