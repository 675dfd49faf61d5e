"""`compare`: two runs that are measured already, by any of their names, and the exit code that follows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import baselines, results
from synapse_perf.cli import run
from synapse_perf.model import Environment, Metric, Result
from tests.analyze.trials import single
from tests.made_results import made_result

STEADY = (3.00, 3.01, 2.99, 3.02, 2.98, 3.00)


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def result_of(*metrics: Metric, day: int = 1) -> Result:
    return replace(made_result(started_at=f"2026-01-0{day}T00:00:00Z"), metrics=metrics, checks=())


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
