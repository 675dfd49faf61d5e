from __future__ import annotations

import json
from dataclasses import replace

from synapse_perf.report.plan import DryRun, PlanStep, render_plan

STEP = PlanStep("qwen3-4b, cold", 6, 2.0, 1024)


def plan(*steps: PlanStep) -> DryRun:
    return DryRun("profile-load", "embedded", steps)


def shown(what: DryRun) -> str:
    return render_plan(what, width=100, color=False, ascii_only=False)


def test_totals_are_the_sum_of_the_steps() -> None:
    text = shown(plan(STEP, replace(STEP, seconds_each=1.0, bytes_read_each=0, bytes_written_each=512)))
    assert "trials   at least 12" in text
    assert "time     about 18.0 s" in text
    assert "reads    6.00 KiB" in text
    assert "writes   3.00 KiB" in text


def test_an_unknown_time_is_no_zero() -> None:
    text = shown(plan(replace(STEP, seconds_each=None)))
    assert "time     not known" in text
    assert "about" not in text


def test_columns_without_any_known_time_are_left_out() -> None:
    assert "together" not in shown(plan(replace(STEP, seconds_each=None)))


def test_a_partly_known_time_says_so() -> None:
    text = shown(plan(STEP, replace(STEP, seconds_each=None)))
    assert "about 12.0 s and 1 step whose time is not known" in text


def test_no_steps_is_said() -> None:
    assert "Nothing would be measured." in shown(plan())


def test_outputs_and_limit_are_named() -> None:
    text = shown(replace(plan(STEP), outputs=("a.md", "b.json"), max_time_s=90.0))
    assert "no new trial after 90.0 s" in text
    assert "a.md" in text
    assert "b.json" in text


def test_as_json() -> None:
    document = json.loads(render_plan(plan(STEP), "json"))
    assert document["kind"] == "plan"
    assert document["steps"][0] == {
        "name": "qwen3-4b, cold", "repeats_at_least": 6, "seconds_each": 2.0, "bytes_read_each": 1024,
        "bytes_written_each": 0, "is_at_most": False,
    }  # fmt: skip


def test_as_markdown() -> None:
    assert "| qwen3-4b, cold | ≥ 6 | \\~2.00 s |" in render_plan(plan(STEP), "md", ascii_only=False)


def test_what_is_only_compared_is_told_as_the_most() -> None:
    compared = replace(STEP, name="overlap", seconds_each=None, is_at_most=True)
    text = render_plan(plan(STEP, compared), "console", width=100)
    assert "up to 6" in text
    assert "at least 6, up to 6 of what is compared" in text


def test_without_an_estimate_the_limit_is_the_end() -> None:
    unknown = replace(STEP, seconds_each=None)
    assert "until all is decided, or the limit" in render_plan(replace(plan(unknown), max_time_s=60.0), "console")
