"""What a test looks for in a section: its tables as texts, its paragraphs, and the notes of its rows."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.model import Metric
from synapse_perf.report.document import Paragraph, Section, Table
from synapse_perf.report.retrieval_runs import Measured
from tests.report.retrieval_examples import result


def measured(*metrics: Metric) -> Measured:
    return Measured(result(metrics=metrics))


def tables(section: Section | None) -> list[list[list[str]]]:
    assert section is not None
    found = [block for block in section.blocks if isinstance(block, Table)]
    return [[[cell.text.strip() for cell in row.cells] for row in table.rows] for table in found]


def notes(section: Section | None) -> list[str]:
    assert section is not None
    return [row.note for block in section.blocks if isinstance(block, Table) for row in block.rows if row.note]


def texts(section: Section | None) -> str:
    assert section is not None
    return "\n".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def fewer(metric: Metric, count: int) -> Metric:
    """The same metric from the first processes alone, with what those support."""
    from synapse_perf.analyze.summary import summarize

    trials = metric.trials[:count]
    return replace(metric, trials=trials, summary=summarize([trial.samples for trial in trials]))
