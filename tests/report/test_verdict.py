"""The first lines: the verdict in words, then the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.model import Check, CheckStatus, Failure, Finding, Gain, Result
from synapse_perf.report.document import Paragraph
from synapse_perf.report.verdict import verdict_section
from tests.report.examples import failures_only, few_trials, full, missed_on_metal, result, run_metrics, sample


def lines(shown: Result) -> list[str]:
    return [block.text for block in verdict_section(shown).blocks if isinstance(block, Paragraph)]


def check(status: CheckStatus, observed: float | None = 3.0, target: str = "model-startup-cpu") -> Check:
    return Check(target, "model_startup_time{model=m}", "median", 15.0, "s", observed, status, "the reason")


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        ("pass", "PASS: 1 target met (model-startup-cpu 3.00 s, limit 15.0 s)"),
        ("fail", "FAIL: 1 target missed (model-startup-cpu 3.00 s, limit 15.0 s)"),
        ("inconclusive", "INCONCLUSIVE: 1 target not decided (model-startup-cpu 3.00 s, limit 15.0 s)"),
        ("not-measured", "NOT MEASURED: 1 target not measured (model-startup-cpu 3.00 s, limit 15.0 s)"),
        ("not-comparable", "NOT COMPARABLE: 1 target not comparable (model-startup-cpu 3.00 s, limit 15.0 s)"),
    ],
)
def test_every_verdict_in_words(verdict: CheckStatus, line: str) -> None:
    shown = result(metrics=run_metrics("m", "cold"), checks=(check(verdict),), verdict=verdict)
    assert lines(shown)[0] == line


def test_what_the_verdict_rests_on_comes_first() -> None:
    checks = (check("pass", target="a"), check("fail", 20.0, "b"))
    shown = result(metrics=run_metrics("m", "cold"), checks=checks, verdict="fail")
    assert lines(shown)[0] == "FAIL: 1 target missed (b 20.0 s, limit 15.0 s); 1 target met (a 3.00 s, limit 15.0 s)"


def test_a_sample_is_never_a_target_met() -> None:
    assert lines(sample())[:2] == [
        "NOT MEASURED: works here (sample, not your system)",
        "model-startup-cpu: under the limit of 15.0 s.",
    ]


def test_a_sample_over_the_limit_is_never_a_target_missed() -> None:
    assert lines(replace(sample(), verdict="fail"))[0] == "FAIL: over the limit here (sample, not your system)"


def test_a_sample_without_any_sample_does_not_work_here() -> None:
    shown = replace(sample(), metrics=(), verdict="not-measured")
    assert lines(shown)[0] == "NOT MEASURED: sample, not your system; nothing was measured"


def test_regressions_and_failures_are_counted() -> None:
    assert lines(missed_on_metal())[0].endswith("; 1 of 2 metrics regressed against the baseline; 1 failure")


def test_the_reason_is_the_most_severe_finding_with_what_a_change_gives() -> None:
    assert lines(full())[1] == (
        "qwen3-4b: reading the file holds the start back, 1.94 s of 3.63 s, at 92 % of what this disk gives. "
        "Change 1 below gives 1.75 s (1.69–1.80 s), measured."
    )


def test_a_finding_without_a_change_promises_none() -> None:
    finding = Finding("x", "high", "The cause.", {}, Gain(1, None, None, "s", False), "", "", "")
    shown = result(metrics=run_metrics("m", "cold"), findings=(finding,), verdict="pass")
    assert lines(shown)[1] == "The cause."


def test_a_note_promises_no_gain_as_its_change_is_not_listed() -> None:
    finding = Finding("x", "info", "The cause.", {}, Gain(1, None, None, "s", False), "a change", "", "")
    shown = result(metrics=run_metrics("m", "cold"), findings=(finding,), verdict="pass")
    assert lines(shown)[1] == "The cause."


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ("the main thread stands still", "The main thread stands still."),
        ("qwen3-4b: reading holds the start back", "qwen3-4b: reading holds the start back."),
        ("llama.cpp was built without AVX2", "llama.cpp was built without AVX2."),
    ],
)
def test_a_sentence_begins_with_a_capital_unless_that_is_a_name(cause: str, told: str) -> None:
    finding = Finding("x", "high", cause, {}, None, "", "", "")
    shown = result(metrics=run_metrics("m", "cold"), findings=(finding,), verdict="pass")
    assert lines(shown)[1] == told


def test_what_is_undecided_says_why() -> None:
    assert lines(few_trials())[1] == "A median needs 6 processes, 3 were run."


def test_where_nothing_was_measured_the_first_failure_is_the_reason() -> None:
    assert lines(failures_only())[1].startswith("broken-model, cold, mmap: llama.cpp ended the process")


def test_a_failure_of_the_whole_run_needs_no_place() -> None:
    shown = result(failures=(Failure("error", "no model was found"),))
    assert lines(shown)[1] == "No model was found."


def test_trials_are_counted_once_however_many_metrics_they_gave() -> None:
    assert "12 trials" in lines(missed_on_metal())[2]  # 6 starts and 6 plain reads


def test_the_machine_is_named_as_people_know_it() -> None:
    assert lines(full())[-1] == ("2026-11-23 10:15 UTC · AMD Ryzen 7 7840U, 8 cores, 32 GiB · commit 3f9c2d1a77")


def test_an_unknown_machine_is_left_out() -> None:
    environment = replace(full().environment, hardware_class={}, git={})
    assert lines(replace(full(), environment=environment))[-1] == "2026-11-23 10:15 UTC"
