"""What stands in a report, in which order, derived from the result alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.model import Check, Comparison, ComparisonStatus, Failure, Finding, Gain, Result, Severity
from synapse_perf.report.document import Block, Fields, Paragraph, Section, Table, Waterfall
from synapse_perf.report.findings_list import ranked_findings
from synapse_perf.report.runs import runs_of
from synapse_perf.report.sections import sections_of
from synapse_perf.report.targets_table import worst
from tests.report.examples import (
    EXAMPLES,
    GIB,
    MIB,
    few_trials,
    full,
    many_models,
    metric,
    missed_on_metal,
    result,
    run_metrics,
    sample,
)


def section(shown: Result, title: str) -> Section:
    return next(part for part in sections_of(shown) if part.title == title)


def titles(shown: Result) -> list[str]:
    return [part.title for part in sections_of(shown)]


def tables(blocks: tuple[Block, ...]) -> list[Table]:
    return [block for block in blocks if isinstance(block, Table)]


def rows(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def texts(part: Section) -> list[str]:
    return [block.text for block in part.blocks if isinstance(block, Paragraph)]


def test_the_order_is_verdict_first_and_problems_last() -> None:
    warned = replace(missed_on_metal(), warnings=("w",))
    assert titles(warned) == [
        "", "Start to first token", "What the phases spend", "Memory", "Findings", "Targets", "Against the baseline",
        "Settings", "Warnings", "Failures",
    ]  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_report_has_a_verdict_findings_and_targets(name: str) -> None:
    shown = titles(EXAMPLES[name]())
    assert shown[0] == ""
    assert {"Findings", "Targets"} <= set(shown)


def test_one_model_needs_no_overview() -> None:
    assert "Models" not in titles(full())


def test_many_models_get_one_line_each() -> None:
    assert len(tables(section(many_models(), "Models").blocks)[0].rows) == 12


def test_of_many_models_the_slowest_are_drawn() -> None:
    waterfalls = [
        block for block in section(many_models(), "Start to first token").blocks if isinstance(block, Waterfall)
    ]
    assert [block.lanes[0].title for block in waterfalls] == [
        "SmolLM2-135M-Q8_0 on cpu, cold",
        "gpt-oss-20b-mxfp4 on cpu, cold",
    ]


def test_a_few_models_are_all_drawn_cold_and_warm() -> None:
    metrics = tuple(m for name in "abcd" for cache in ("cold", "warm") for m in run_metrics(name, cache))
    blocks = section(result(metrics=metrics), "Start to first token").blocks
    assert [len(block.lanes) for block in blocks if isinstance(block, Waterfall)] == [2, 2, 2, 2]


def test_long_names_stay_apart_when_they_are_shortened() -> None:
    names = [row[0] for row in rows(tables(section(many_models(), "Models").blocks)[0])]
    assert len(set(names)) == 12
    assert max(map(len, names)) <= 60


def test_the_overview_names_the_largest_phase_and_the_status() -> None:
    table = tables(section(many_models(), "Models").blocks)[0]
    assert rows(table)[0] == ["Qwen3-0.6B-Q8_0", "726 ms", "704–769 ms", "6", "377 ms", "PASS", "tensors 53.4 %"]
    assert rows(table)[-1][5] == "FAIL"


def test_variants_stand_beside_their_reference() -> None:
    table = tables(section(full(), "Load modes and variants").blocks)[0]
    assert [(row[0], row[5]) for row in rows(table)] == [
        ("mmap (reference)", "reference"),
        ("load_mode=read", "0.89×"),
        ("load_mode=mlock", "1.01×"),
    ]


def test_a_mode_that_was_not_honoured_is_called_not_effective() -> None:
    table = tables(section(full(), "Load modes and variants").blocks)[0]
    assert [row.note for row in table.rows][2].startswith("not effective in 6 of 6 starts: mlock failed")


def test_what_cannot_be_told_apart_is_the_findings_word() -> None:
    assert any("cannot be told apart" in text for text in texts(section(full(), "Load modes and variants")))


def test_a_variant_without_reference_has_no_ratio() -> None:
    metrics = run_metrics("m", "cold", variant="ngl=16")
    assert rows(tables(section(result(metrics=metrics), "Load modes and variants").blocks)[0])[0][5] == "not known"


def test_the_memory_is_split() -> None:
    process, buffers = tables(section(full(), "Memory").blocks)
    assert rows(process)[0] == ["qwen3-4b", "3.22 GiB", "3.12–3.41 GiB", "6", "912 MiB", "2.33 GiB"]
    assert rows(buffers)[0] == ["qwen3-4b", "CPU", "2.33 GiB", "576 MiB", "301 MiB", "1.00 MiB"]


def test_each_device_has_its_row_of_buffers() -> None:
    facts = {"buffer.MTL0.model": 2 * GIB, "buffer.MTL0.RS": 3 * MIB, "buffer.RPC0[10.0.0.1:5].model": 5 * MIB}
    _, buffers = tables(section(result(metrics=run_metrics("m", "cold", facts=facts)), "Memory").blocks)
    assert rows(buffers)[1:] == [
        ["", "MTL0", "2.00 GiB", "none", "none", "3.00 MiB"],
        ["", "RPC0[10.0.0.1:5]", "5.00 MiB", "none", "none", "none"],
    ]


def test_memory_that_nobody_measured_is_no_section() -> None:
    startup = metric("model_startup_time", {"model": "m", "cache": "cold"}, 4.0)
    assert "Memory" not in titles(result(metrics=(startup,)))


def test_findings_come_most_severe_first_with_all_six_fields() -> None:
    blocks = section(full(), "Findings").blocks
    assert [block.text.rpartition("[")[2] for block in blocks if isinstance(block, Paragraph)] == [
        "high, bound]",
        "medium, best-load-mode]",
        "info, memory-fit]",
    ]
    names = [[name for name, _ in block.rows] for block in blocks if isinstance(block, Fields)]
    assert names[0] == ["evidence", "gain", "change", "check", "alert"]
    assert names[1] == ["evidence", "gain", "change", "check", "alert"]
    assert len(names) == 2, "what asks for no change is told in one sentence"


def test_among_equally_severe_findings_the_bound_comes_first() -> None:
    large = Finding("parallel-loading", "medium", "", {}, Gain(9, 8, 10, "s", True), "", "", "")
    bound = Finding("bound", "medium", "", {}, None, "", "", "")

    assert [finding.id for finding in ranked_findings(result(findings=(large, bound)))] == ["bound", "parallel-loading"]


def test_among_equally_severe_findings_the_larger_gain_is_first() -> None:
    gains = {"none": None, "small": Gain(0.1, None, None, "s", True), "large": Gain(2, 1, 3, "s", True)}
    findings = tuple(Finding(name, "high", name, {}, gain, "", "", "") for name, gain in gains.items())
    assert [finding.id for finding in ranked_findings(result(findings=findings))] == ["large", "small", "none"]


@pytest.mark.parametrize("severity", ["high", "low"])
def test_an_empty_field_is_not_known_yet(severity: Severity) -> None:
    finding = Finding("x", severity, "", {}, None, "", "", "")
    blocks = section(result(findings=(finding,)), "Findings").blocks
    assert isinstance(blocks[1], Fields)
    assert blocks[1].rows == (("unknown", "evidence, gain, change, check, alert: not known yet"),)
    assert isinstance(blocks[0], Paragraph)
    assert blocks[0].text.startswith("not known yet")


def test_a_target_row_has_limit_value_interval_count_and_status() -> None:
    assert rows(tables(section(full(), "Targets").blocks)[0])[0] == [
        "model-startup-cpu", "< 15.0 s", "median 3.63 s", "3.52–3.85 s", "6", "PASS",
    ]  # fmt: skip


def test_a_target_shows_the_worst_of_its_checks() -> None:
    row = tables(section(many_models(), "Targets").blocks)[0].rows[0]
    assert row.cells[5].text == "FAIL"
    assert row.note.startswith("worst of 12: SmolLM2-135M-Q8_0, cpu, cold (4 FAIL, 8 PASS): ")


def test_among_equal_statuses_the_value_furthest_up_is_the_worst() -> None:
    checks = [Check("t", "m", "median", 15.0, "s", seconds, "pass", "") for seconds in (2.0, 9.0, 4.0)]
    assert worst(checks).observed == 9.0


def test_a_target_that_was_not_measured_has_no_value() -> None:
    assert rows(tables(section(full(), "Targets").blocks)[0])[1] == [
        "model-startup-metal", "< 5.00 s", "none", "none", "0", "NOT MEASURED",
    ]  # fmt: skip


def test_the_row_of_a_sample_says_so_and_no_status() -> None:
    row = tables(section(sample(), "Targets").blocks)[0].rows[0]
    assert row.cells[5].text == "sample"
    assert row.note == (
        "worst of 3: tier-powerful, cpu, cold: works here (sample, not your system): under the limit of 15.0 s"
    )


def test_a_sample_says_so_even_where_its_reason_does_not() -> None:
    shown = replace(sample(), checks=tuple(replace(c, status="pass", reason="under it") for c in sample().checks[:1]))
    row = tables(section(shown, "Targets").blocks)[0].rows[0]
    assert row.note == "works here (sample, not your system). tier-fast, cpu, cold: under it"


def test_what_only_loads_is_compared_by_its_load() -> None:
    table = tables(section(sample(), "Load modes and variants").blocks)[0]
    assert table.columns[2].title == "load"
    assert [(row[0], row[2], row[5]) for row in rows(table)] == [
        ("sequential (reference)", "2.10 s", "reference"),
        ("order=parallel", "1.60 s", "0.76×"),
    ]


def test_all_models_together_are_no_model_of_the_overview() -> None:
    names = [row[0] for row in rows(tables(section(sample(), "Models").blocks)[0])]
    assert names == ["tier-fast", "tier-balanced", "tier-powerful"]


def test_each_phase_shows_what_it_spent() -> None:
    table = tables(section(full(), "What the phases spend").blocks)[0]
    assert rows(table)[2] == ["tensors", "1.94 s", "310 ms", "1.61 s", "12.0 ms", "2.33 GiB", "3", "4100"]


def test_usage_is_shown_of_the_cold_run_of_each_model() -> None:
    headings = texts(section(sample(), "What the phases spend"))[:-1]
    assert headings == [f"{name}, cpu, cold" for name in ("tier-fast", "tier-balanced", "tier-powerful")]


def test_a_device_that_is_over_committed_is_told() -> None:
    metrics = run_metrics("m", "cold", facts={"over_committed": True})
    assert any("over-committed" in text for text in texts(section(result(metrics=metrics), "Memory")))


def test_a_rate_has_a_least_and_not_a_limit() -> None:
    rate = replace(metric("frame_rate", {}, 60.0, unit="1/s"), better="higher")
    check = Check("ui-animation", rate.key, "median", 60.0, "1/s", 60.0, "pass", "")
    table = tables(section(result(metrics=(rate,), checks=(check,)), "Targets").blocks)[0]
    assert rows(table)[0][1] == "≥ 60.0 1/s"


def test_a_metric_that_no_other_part_shows_is_listed() -> None:
    rate = metric("decode_rate", {"tier": "fast"}, 31.0, unit="1/s")
    table = tables(section(result(metrics=(rate,)), "Measurements").blocks)[0]
    assert rows(table) == [["decode_rate tier=fast", "31.0 1/s", "30.1–32.9 1/s", "none", "6"]]


def test_few_trials_show_their_range_and_no_interval() -> None:
    lane = next(b for b in section(few_trials(), "Start to first token").blocks if isinstance(b, Waterfall)).lanes[0]
    assert lane.total == "~3.59 s to the first token (n=3, too few for a median, seen 3.52–3.61 s)"


def comparison(status: ComparisonStatus, place: int = 0) -> Comparison:
    return Comparison(f"m{{place={place}}}", status, 1.0, 1.1, "s", 1.1, 1.0, 1.2, "because")


def test_changed_metrics_come_before_unchanged_ones() -> None:
    shown = result(comparisons=(comparison("unchanged"), comparison("improved"), comparison("regressed")))
    table = tables(section(shown, "Against the baseline").blocks)[0]
    assert [row[-1] for row in rows(table)] == ["REGRESSED", "IMPROVED", "UNCHANGED"]


def test_of_many_comparisons_the_unchanged_are_counted() -> None:
    many = tuple(comparison("unchanged", place) for place in range(40))
    part = section(result(comparisons=(*many, comparison("regressed"))), "Against the baseline")
    assert texts(part)[0] == "41 metrics compared: 1 regressed, 40 unchanged."
    assert len(tables(part.blocks)[0].rows) == 1


def test_a_missing_metric_has_no_value() -> None:
    missing = Comparison("m", "missing", 3.0, None, "s", None, None, None, "not measured in this run")
    table = tables(section(result(comparisons=(missing,)), "Against the baseline").blocks)[0]
    assert rows(table)[0] == ["m", "3.00 s", "not known", "not known", "not known", "MISSING"]
    assert table.rows[0].note == "not measured in this run"


def test_equal_warnings_are_told_once() -> None:
    assert texts(section(result(warnings=("hot", "hot", "swap")), "Warnings")) == ["hot (2 times)", "swap"]


def test_a_failure_tells_place_cause_and_remedy() -> None:
    failure = Failure("crash", "signal SIGSEGV", "report it", "line 1\nline 2", "mmap", {"model": "m", "cache": "cold"})
    part = section(result(failures=(failure, failure)), "Failures")
    assert texts(part) == ["m, cold, mmap: crash: signal SIGSEGV (2 times)"]
    assert part.blocks[1] == Fields((("remedy", "report it"), ("detail", "line 1\nline 2")), indent=2)


def test_of_a_long_log_the_end_is_shown() -> None:
    detail = "\n".join(f"line {number}" for number in range(1, 31))
    fields = section(result(failures=(Failure("crash", "x", detail=detail),)), "Failures").blocks[1]
    assert isinstance(fields, Fields)
    assert fields.rows[1][1].splitlines()[0] == "(24 lines before these are in the JSON result)"
    assert fields.rows[1][1].splitlines()[-1] == "line 30"


def test_a_failure_without_remedy_says_so() -> None:
    fields = section(result(failures=(Failure("error", "x"),)), "Failures").blocks[1]
    assert fields == Fields((("remedy", "not known yet"),), indent=2)


def test_settings_leave_digests_to_the_json() -> None:
    fields = section(full(), "Settings").blocks[0]
    assert isinstance(fields, Fields)
    assert fields.rows[:2] == (
        ("models", "qwen3-4b: size 2.33 GiB, description qwen3 4.0B Q4_K_M"),
        ("settings", "n ctx 4096, n threads 8, n gpu layers 0"),
    )


def test_settings_that_differ_stay_with_their_model() -> None:
    models = {"a": {"settings": {"n_ctx": 1}}, "b": {"settings": {"n_ctx": 2}}}
    fields = section(replace(result(), workload={"models": models}), "Settings").blocks[0]
    assert isinstance(fields, Fields)
    assert fields.rows[0] == ("models", "a: settings (n ctx 1)\nb: settings (n ctx 2)")


@pytest.mark.parametrize("models", [["a", "b"], "a", {"a": "b"}, None, {}])
def test_a_workload_of_another_shape_is_shown_as_well(models: object) -> None:
    assert sections_of(replace(full(), workload={"models": models, "server": "x"}))


def test_models_come_in_the_order_of_the_workload() -> None:
    shown = result(metrics=run_metrics("b", "cold") + run_metrics("a", "cold"))
    ordered = replace(shown, workload={"models": {"a": {}, "b": {}}})
    assert [run.model for run in runs_of(ordered)] == ["a", "b"]


def test_a_target_without_value_is_not_measured_on_a_sample_too() -> None:
    check = Check("model-startup-metal", "model_startup_time", "median", 5.0, "s", None, "not-measured", "no Metal")
    row = tables(section(replace(sample(), checks=(check,)), "Targets").blocks)[0].rows[0]
    assert (row.cells[5].text, row.note) == ("NOT MEASURED", "no Metal")
