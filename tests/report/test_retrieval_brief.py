"""What a terminal's report leaves out: never a figure that decides, and Markdown still has it all."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.model import Result
from synapse_perf.report.render import render
from synapse_perf.report.retrieval_openings import openings_section
from synapse_perf.units import format_value
from tests.report.retrieval_blocks import measured, notes, tables, texts
from tests.report.retrieval_examples import full, openings, result, sample, warm


def on_console(shown: Result) -> str:
    return render(shown, "console", width=80, color=False, ascii_only=False)


def in_markdown(shown: Result) -> str:
    return render(shown, "md", ascii_only=False)


def test_a_brief_table_of_openings_has_a_row_for_each_way() -> None:
    section = openings_section(measured(*openings()), is_brief=True)
    rows = tables(section)[0]
    assert [row[:2] for row in rows] == [["read", ""], ["mmap", ""], ["ifc", ""], ["readahead", ""]]
    assert rows[0][2:6] == ["46.6 ms", "10.3 ms", "56.9 ms", "55.2–60.3 ms"]
    assert rows[0][6] == "38.6 ms"  # both, out of the page cache
    assert notes(section) == ["a trap: opens soon, its first search pays: 7500 major page faults"]
    assert "from a cold page cache: readahead; from the page cache: ifc" in texts(section)


def test_without_openings_from_the_page_cache_the_table_is_the_whole_one() -> None:
    cold = [one for one in openings() if one.labels["state"] == "cold"]
    assert openings_section(measured(*cold), is_brief=True) == openings_section(measured(*cold))


def test_a_setting_that_changes_nothing_is_a_sentence() -> None:
    shown = result(metrics=(*warm(), *warm(1.001, variant="omp_threads=1")))
    text = " ".join(on_console(shown).split())
    assert "No other setting makes a difference to be seen: omp_threads=1 has 1.00× (0." in text
    assert "Variants" not in text
    assert "## Variants" in in_markdown(shown)


def test_a_setting_that_changes_something_has_its_table() -> None:
    assert "Variants" in on_console(result(metrics=(*warm(), *warm(1.5, variant="omp_threads=1"))))


def test_facts_that_ask_for_nothing_have_their_first_half_and_markdown_has_both() -> None:
    finding = replace(full().findings[0], severity="info", cause="first half, of 3.2 ms; second half")
    shown = replace(full(), findings=(finding,))
    lines = on_console(shown).splitlines()
    assert "  None: nothing measured here asks for a change." in lines
    assert "  Notes, which ask for nothing (in full: report last --format md)" in lines
    assert "  - first half, of 3.2 ms" in lines
    assert "second half" in in_markdown(shown)


def test_the_first_evidence_is_shown_and_markdown_has_all() -> None:
    finding = replace(full().findings[0], evidence={"a": 1, "parts": {"x": 2}, "b": 3, "c": 4, "d": 5, "e": 6})
    shown = replace(full(), findings=(finding,))
    assert "evidence  a 1, b 3, c 4, d 5\n" in on_console(shown)
    assert "e 6" in in_markdown(shown)


def test_the_targets_of_a_sample_are_in_its_verdict() -> None:
    assert "Targets" not in on_console(sample())
    for check in sample().checks:
        assert f"(limit {format_value(check.limit, check.unit)})" in " ".join(on_console(sample()).split())
    assert "## Targets" in in_markdown(sample())
    assert "Targets" in on_console(full())


def test_pictures_of_the_ledger_are_in_markdown() -> None:
    assert "█" not in on_console(full())
    assert "█" in in_markdown(full())
