"""`compare`: two runs that are measured already, by any of their names, and the exit code that follows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import baselines, results
from synapse_perf.cli import run
from synapse_perf.model import Check, Environment, Failure, Metric, Result
from tests.analyze.trials import single
from tests.made_results import made_result

STEADY = (3.00, 3.01, 2.99, 3.02, 2.98, 3.00)


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def result_of(*metrics: Metric, day: int = 1) -> Result:
    return replace(made_result(started_at=f"2026-01-0{day}T00:00:00Z"), metrics=metrics, checks=(), failures=())


def scaled(factor: float, day: int = 1) -> Result:
    return result_of(single(*(value * factor for value in STEADY)), day=day)


@pytest.mark.parametrize(
    ("factor", "code", "word"), [(1.0, 0, "PASS"), (1.2, 1, "FAIL"), (0.8, 0, "PASS"), (1.03, 3, "INCONCLUSIVE")]
)
def test_saved_runs_files_and_baselines_are_compared(
    factor: float, code: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results.save_run(scaled(1.0))
    results.save_run(scaled(factor, day=2))
    results.write("now.json", scaled(factor))
    baselines.save("main", scaled(1.0))

    for names in (("last~1", "last"), ("last~1",), ("main", "now.json"), ("last~1", "./now.json")):
        assert run(["compare", *names]) == code
        assert capsys.readouterr().out.startswith(word)


def test_allow_inconclusive_ends_with_0_and_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    results.write("a.json", scaled(1.0))
    results.write("b.json", scaled(1.03))

    assert run(["compare", "a.json", "b.json", "--allow-inconclusive"]) == 0
    assert "warning: inconclusive" in capsys.readouterr().err
    results.write("b.json", scaled(1.2))
    assert run(["compare", "a.json", "b.json", "--allow-inconclusive"]) == 1


def test_files_are_written_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    results.write("a.json", scaled(1.0))
    results.write("b.json", scaled(1.2))

    assert run(["compare", "a.json", "b.json", "--format", "json", "-o", "out.json", "-o", "out.md"]) == 1
    text = capsys.readouterr().out
    assert Path("out.json").read_text() == text
    document = json.loads(text)
    assert (document["kind"], document["exit_code"]) == ("gate", 1)
    (row,) = document["rows"]
    assert (row["status"], row["unit"], row["better"]) == ("regressed", "s", "lower")
    assert row["ratio"] == pytest.approx(1.2)
    assert "| model\\_startup\\_time" in Path("out.md").read_text()


def test_what_differs_is_not_comparable_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    results.write("a.json", scaled(1.0))
    other = Environment({"digest": "h2", "cores": 16}, {}, {}, {})
    results.write("b.json", replace(scaled(1.0), environment=other))

    assert run(["compare", "a.json", "b.json"]) == 4
    assert "differing: hardware_class.cores" in " ".join(capsys.readouterr().out.split())


def test_a_metric_that_disappeared_and_a_run_without_any_are_no_pass() -> None:
    one, two = (single(*STEADY, labels={"model": name}) for name in ("one", "two"))
    results.write("both.json", result_of(one, two))
    results.write("one.json", result_of(one))
    results.write("none.json", result_of())

    assert run(["compare", "both.json", "one.json"]) == 4
    assert run(["compare", "one.json", "both.json"]) == 0
    assert run(["compare", "both.json", "none.json"]) == 6
    assert run(["compare", "none.json", "none.json"]) == 6


def test_what_lost_its_samples_counts_though_other_metrics_have_the_targets() -> None:
    """Undecided is no fault of a metric that is only shown beside those with targets; nothing to decide by is one."""
    judged, aside, empty = single(*STEADY, labels={"model": "judged"}), single(*STEADY), single()
    target = Check("model-startup-cpu", judged.key, "median", 15.0, "s", 3.0, "pass", "under the limit")
    results.write("a.json", replace(result_of(judged, aside), checks=(target,)))
    results.write("b.json", replace(result_of(judged, empty), checks=(target,)))

    assert run(["compare", "a.json", "b.json"]) == 4
    assert run(["gate", "b.json", "--baseline", "a.json", "--effect", "50%"]) == 4


def test_a_run_of_which_a_part_failed_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    results.write("a.json", scaled(1.0))
    failed = (Failure("crash", "the worker was killed"), Failure("interrupted", "Ctrl-C"))
    results.write("b.json", replace(scaled(1.0), failures=failed))

    for command in (["compare", "a.json", "b.json"], ["gate", "b.json", "--baseline", "a.json", "--effect", "50%"]):
        assert run([*command, "-o", "out.xml"]) == 6
        shown = capsys.readouterr().out
        assert shown.startswith("FAILED WHILE MEASURING: 1 unchanged")
        assert "- failed while it was measured: the worker was killed" in shown
        assert 'errors="1"' in Path("out.xml").read_text()
    assert run(["compare", "b.json", "a.json"]) == 0


def test_of_a_baseline_with_several_runs_the_newest_is_compared_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for day, factor in ((1, 2.0), (2, 1.0)):
        results.write("run.json", scaled(factor, day))
        assert run(["baseline", "save", "main", "run.json", "--add"]) == 0
    results.write("now.json", scaled(1.0, 3))
    for names in (("main", "now.json"), ("now.json", "main")):
        capsys.readouterr()
        assert run(["compare", *names]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("PASS: 1 unchanged")
        assert "main holds several runs: the newest is compared, 1 older are not" in " ".join(shown.split())


def test_a_value_in_another_unit_is_not_shown_in_this_one(capsys: pytest.CaptureFixture[str]) -> None:
    results.write("a.json", scaled(1.0))
    results.write("b.json", result_of(single(*(value * 1000 for value in STEADY), unit="ms")))

    assert run(["compare", "a.json", "b.json", "--format", "json"]) == 4
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["baseline"], row["current"], row["unit"]) == (None, 3000.0, "ms")
    assert row["reason"] == "differing: unit (s, now ms)"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("nowhere", "a.json"), "'nowhere' is no saved run, no file and no baseline"),
        (("a.json", "no/such.json"), "no such file"),
        (("a.json", "last"), "no run is saved yet"),
        (("a.json", "twice.json"), "is there twice"),
        (("a.json", "negative.json"), "a time below zero"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(
    names: tuple[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results.write("a.json", scaled(1.0))
    results.write("twice.json", result_of(single(*STEADY), single(*STEADY)))
    results.write("negative.json", result_of(single(-1.0, *STEADY)))

    assert run(["compare", *names]) == 2
    shown = capsys.readouterr()
    assert words in shown.err.splitlines()[0]
    assert shown.out == ""
