"""The report of bench-cgrag: its order, that nothing measured is missing, and that it is short enough to be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.model import Result
from synapse_perf.report.document import Table
from synapse_perf.report.render import render, write_output
from synapse_perf.report.sections import sections_of
from tests.report.retrieval_examples import EXAMPLES, first_retrieval, full, metric, result, sample
from tests.report.retrieval_experiment_examples import experiments


def titles(shown: Result) -> list[str]:
    return [section.title for section in sections_of(shown)]


def rest(shown: Result) -> list[str]:
    """What the last table, of all that no section knows, has."""
    found = [section for section in sections_of(shown) if section.title == "Measurements"]
    tables = [block for section in found for block in section.blocks if isinstance(block, Table)]
    return [row.cells[0].text for table in tables for row in table.rows]


def test_the_order_is_verdict_cold_warm_and_then_what_was_tried() -> None:
    assert titles(replace(full(), warnings=("w",))) == [
        "", "Cold: the first retrieval", "Warm: one query at a time", "Opening the index", "Variants", "Findings",
        "Targets", "Settings", "Warnings",
    ]  # fmt: skip
    assert titles(experiments())[2:7] == [
        "Recall", "Which index: recall against latency", "Under load", "Caches", "Measurements",
    ]  # fmt: skip


def test_what_no_section_knows_is_in_the_last_table() -> None:
    assert rest(experiments()) == ["index_build_time index=Flat"]
    unknown = metric("peak_rss", {}, [[1e9]] * 6, unit="B")
    strange = first_retrieval("frozen", {"thaw": 0.1})
    assert rest(result(metrics=(unknown, *strange))) == [
        "peak_rss",
        "retrieval_latency stage=total state=frozen",
        "retrieval_latency stage=thaw state=frozen",
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_complete_report_leaves_nothing_over(name: str) -> None:
    assert rest(EXAMPLES[name]()) == []


def test_a_sample_run_fits_on_two_screens() -> None:
    text = render(sample(), "console", width=80, color=False, ascii_only=False)
    assert len(text.splitlines()) <= 100


def test_another_benchmark_keeps_its_own_report() -> None:
    assert "Cold: the first retrieval" not in titles(replace(full(), benchmark="profile-load"))


def test_a_report_to_a_file_is_the_same_after_the_run_was_saved(tmp_path: Path) -> None:
    write_output(full(), tmp_path / "run.json")
    loaded = results.load(tmp_path / "run.json")
    assert isinstance(loaded, Result)
    write_output(loaded, tmp_path / "report.md")
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == render(full(), "md", ascii_only=False)
