"""What did the server still hold of clients that have left, way by way?"""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.ws_disconnects import HELD, METRIC, WAYS
from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table, Tone
from synapse_perf.report.figures import samples_of

_WORDS: dict[str, tuple[str, Tone]] = {
    "leak": ("LEAK", "bad"),
    "inconclusive": ("open", "warn"),
    "clean": ("none stay", "good"),
}


def disconnects_section(result: Result) -> Section | None:
    """A row for each way to leave; None where it was not looked at, and no reason is known."""
    left = [metric for metric in result.metrics if metric.name == METRIC]
    told = result.workload.get("disconnects")
    if not left:
        return (
            Section("Clients that leave", (Paragraph(f"{told[0].upper()}{told[1:]}."),))
            if isinstance(told, str)
            else None
        )
    columns = (
        Column("they end with"),
        Column("clients", "right"),
        *(Column(f"{held} left", "right") for held in HELD),
        Column(""),
    )
    statuses = {leak.metric: leak.status for leak in result.leaks}
    blocks: list[Block] = [Table(columns, tuple(_row(way, left, statuses) for way in WAYS if _of(way, left)))]
    name = told.get("process") if isinstance(told, Mapping) else None
    if name:
        text = f"Counted in {name} and its children, after all had left and it had up to 2 s to let go of them."
        blocks.append(Paragraph(text, "quiet"))
    return Section("Clients that leave", tuple(blocks))


def _of(way: str, left: list[Metric]) -> list[Metric]:
    return [metric for metric in left if metric.labels["disconnect"] == way]


def _row(way: str, left: list[Metric], statuses: Mapping[str, str]) -> Row:
    own = {metric.labels["holds"]: metric for metric in _of(way, left)}
    counts = {held: int(sum(samples_of(metric))) for held, metric in own.items()}
    clients = sum(int(one or 0) for trial in own[HELD[0]].trials for one in trial.facts.get("clients", ()))
    found = {statuses.get(metric.key, "") for metric in own.values()}
    word, tone = next((_WORDS[one] for one in _WORDS if one in found), ("not judged", "plain"))
    return Row(
        (Cell(WAYS[way]), Cell(str(clients)), *(Cell(str(counts.get(held, 0))) for held in HELD), Cell(word, tone))
    )
