"""How a gate reads: the verdict first, every row with its reason, what to do next, and no trap in any name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.analyze.gate_report import GateReport, GateRow
from synapse_perf.errors import InputError
from synapse_perf.model import Check, Comparison, ComparisonStatus
from synapse_perf.report.gate_comment import gate_markdown
from synapse_perf.report.gate_document import gate_document, next_steps, verdict_text
from synapse_perf.report.gate_outputs import check_gate_output, gate_json, write_gate_output
from synapse_perf.report.render import document_text

HOSTILE = "a|b`<script>\n::error::x%0A\x1b[31m"


def row(status: ComparisonStatus, metric: str = "query_latency{tier=fast}", **more: object) -> GateRow:
    ratio = None if status in ("missing", "not-comparable") else 1.1
    after = None if status == "missing" else 0.0110
    comparison = Comparison(metric, status, 0.0100, after, "s", ratio, ratio and 1.05, ratio and 1.15, "the reason")
    return GateRow(comparison, "lower", 0.03, **more)  # type: ignore[arg-type]


def report(*rows: GateRow) -> GateReport:
    return GateReport(
        method="paired",
        baseline="main (0123456789)",
        current="HEAD (abcdef0123)",
        rows=rows,
        effect=0.1,
        detects="slowdowns by 10.0 %",
        started_at="2026-11-23T10:00:00.000Z",
        duration_s=42.0,
    )


ALL = report(
    row("unchanged", "steady"),
    row("regressed"),
    row("inconclusive", "noisy", needs=40),
    row("improved", "better"),
    row("missing", "gone"),
    row("not-comparable", "other"),
    row("regressed", "agreed", waived="meant (through 2026-12-31)"),
)


def text(found: GateReport, width: int = 80) -> str:
    return document_text(gate_document(found), "console", width=width, color=False, ascii_only=False)


@pytest.mark.parametrize("width", [80, 120])
def test_the_verdict_comes_first_and_the_worst_rows_before_the_others(width: int) -> None:
    shown = text(ALL, width)
    assert " ".join(shown.split()).startswith(
        "NOT COMPARABLE: 1 regressed, 1 missing, 1 not comparable, 1 inconclusive, 1 improved, "
    )
    words = ("REGRESSED", "MISSING", "NOT COMPARABLE", "INCONCLUSIVE", "IMPROVED", "UNCHANGED", "WAIVED")
    table = shown.partition("Metrics")[2]
    assert [table.index(word) for word in words] == sorted(table.index(word) for word in words)
    assert max(map(len, shown.splitlines())) <= width
    assert "waived: meant (through 2026-12-31)" in shown


def test_next_steps_follow_from_what_was_found() -> None:
    steps = next_steps(ALL)
    assert "baseline waive" in steps[0]
    assert "about 40 more pairs would decide" in steps[1]
    assert "a metric is meant to be gone: judge the others alone" in steps[2]
    assert "what is not comparable: let both sides write the same unit" in steps[3]
    assert "baseline save" in steps[4]
    assert next_steps(report(row("unchanged"))) == []
    assert "quieter machine" in next_steps(report(row("inconclusive")))[0]


def test_a_companion_is_shown_only_where_it_decides() -> None:
    cpu = row("regressed", "command_cpu_time", stands_for="every time")
    assert "command_cpu_time" not in text(report(row("unchanged"), cpu))
    assert "command_cpu_time" in text(report(row("inconclusive"), cpu))


def test_the_processor_time_is_told_beside_the_verdict() -> None:
    cpu = row("inconclusive", "command_cpu_time", stands_for="every time")
    assert "processor time  1.10× (1.05–1.15) of the whole command" in text(report(row("unchanged"), cpu))
    assert "processor time" not in text(report(row("unchanged")))
    unknown = replace(cpu, comparison=replace(cpu.comparison, ratio=None, low=None, high=None))
    assert "processor time" not in text(report(row("unchanged"), unknown))


def test_of_many_rows_those_that_change_no_verdict_are_counted() -> None:
    many = [row("unchanged", f"m{place:02}") for place in range(40)]
    shown = text(report(row("regressed"), *many))
    assert "Not listed: 40 unchanged metrics" in shown
    assert "m07" not in shown


def test_created_and_empty_gates_say_so() -> None:
    assert verdict_text(replace(report(), created="baselines/x.json")).startswith("there was no baseline")
    assert verdict_text(report()) == "nothing was compared"


def test_hostile_names_are_text_in_every_format() -> None:
    found = replace(report(row("regressed", HOSTILE)), baseline=HOSTILE)
    shown = text(found)
    assert "\x1b" not in shown
    markdown = gate_markdown(found)
    assert "<script>" not in markdown
    assert "a\\|b\\`\\<script\\>" in markdown
    assert json.loads(gate_json(found))["rows"][0]["metric"] == HOSTILE


def test_json_holds_every_row_and_the_exit_code() -> None:
    check = Check("websocket-latency", "m", "p95", 0.05, "s", 0.04, "pass", "")
    document = json.loads(gate_json(replace(ALL, checks=(check,))))
    assert (document["kind"], document["schema_version"], document["exit_code"]) == ("gate", 1, 4)
    assert [one["status"] for one in document["rows"]] == [one.comparison.status for one in ALL.rows]
    assert document["checks"][0]["target"] == "websocket-latency"


def test_a_suffix_without_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no format has this suffix"):
        check_gate_output(tmp_path / "x.yaml")
    place = tmp_path / "x.md"
    write_gate_output(ALL, place)
    assert place.read_text() == gate_markdown(ALL)
