"""In a job of GitHub's a gate annotates, summarises and has outputs by itself; elsewhere it does nothing of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.cli import run
from synapse_perf.model import Result
from synapse_perf.report.gate_comment import MARKER, SUMMARY_BYTES
from tests.analyze.trials import single
from tests.commands.made_repository import COMMAND, made_repository
from tests.made_results import made_result
from tests.report.test_gate_github import command, outputs

STEADY = (3.00, 3.01, 2.99, 3.02, 2.98, 3.00)


@dataclass(frozen=True)
class Job:
    """The files that a step of a job may write to."""

    summary: Path
    output: Path


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.chdir(tmp_path)
    made = Job(tmp_path / "summary", tmp_path / "output")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(made.summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(made.output))
    return made


def two_runs(factor: float, name: str = "query_latency") -> tuple[str, str, str]:
    for file, times in (("before.json", 1.0), ("after.json", factor)):
        results.write(file, level(times, name))
    return "compare", "before.json", "after.json"


def level(factor: float, name: str) -> Result:
    metrics = (single(*(value * factor for value in STEADY), name=name),)
    return replace(made_result(), metrics=metrics, checks=(), failures=())


def annotated(text: str) -> list[tuple[str, str]]:
    found = filter(None, map(command, text.splitlines()))
    return [(level, properties["title"]) for level, properties, _ in found]


def test_a_regression_is_an_annotation_a_summary_and_outputs(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.summary.write_text("of an earlier step\n")
    job.output.write_text("mine=1\n")
    assert run([*two_runs(1.2), "--format", "json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["exit_code"] == 1  # nothing but data
    assert [title.partition("{")[0] for _, title in annotated(shown.err)] == ["regressed: query_latency"]
    assert job.summary.read_text().startswith(f"of an earlier step\n{MARKER}\n# FAIL: 1 regressed")
    assert job.output.read_text().startswith("mine=1\n")
    told = outputs(job.output.read_text().removeprefix("mine=1\n"))
    assert (told["exit-code"], told["verdict"], told["summary"]) == ("1", "fail", "1 regressed")


def test_what_is_let_pass_has_the_code_of_the_step_and_the_verdict_of_the_gate(job: Job) -> None:
    for file, samples in (("before.json", STEADY[:3]), ("after.json", STEADY[3:])):
        results.write(file, replace(made_result(), metrics=(single(*samples),), checks=(), failures=()))
    assert run(["compare", "before.json", "after.json", "--allow-inconclusive", "--quiet"]) == 0
    told = outputs(job.output.read_text())
    assert (told["exit-code"], told["verdict"]) == ("0", "inconclusive")


def test_two_gates_of_one_step_both_stand_in_its_summary_which_never_grows_too_large(job: Job) -> None:
    assert run([*two_runs(1.0)]) == 0
    assert run([*two_runs(1.2)]) == 1
    assert job.summary.read_text().count(MARKER) == 2
    job.summary.write_text("x" * (SUMMARY_BYTES - 300))
    assert run([*two_runs(1.2)]) == 1
    assert SUMMARY_BYTES - 300 < job.summary.stat().st_size <= SUMMARY_BYTES
    job.summary.write_text("x" * SUMMARY_BYTES)
    assert run([*two_runs(1.2)]) == 1
    assert job.summary.stat().st_size == SUMMARY_BYTES


def test_no_line_of_the_log_is_a_command_whatever_the_names_are(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    run([*two_runs(1.2, "::add-mask::query ##[error]x")])
    shown = capsys.readouterr()
    assert annotated(shown.out) == []
    assert {level for level, _ in annotated(shown.err)} == {"error"}


def test_an_error_is_an_annotation_of_any_command(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "nowhere.json", "after.json"]) == 2
    (found,) = filter(None, map(command, capsys.readouterr().err.splitlines()))
    assert found[:2] == ("error", {"title": "synapse-perf"})
    assert found[2].startswith("nowhere.json: no such file\nname a result file")
    assert not job.output.exists()


def test_a_summary_that_cannot_be_written_is_told_and_changes_nothing(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(job.summary.parent / "no" / "folder"))
    monkeypatch.delenv("GITHUB_OUTPUT")
    assert run([*two_runs(1.0)]) == 0
    assert "folder cannot be written: No such file or directory" in capsys.readouterr().err


def test_elsewhere_nothing_is_written(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert run([*two_runs(1.2)]) == 1
    assert annotated(capsys.readouterr().err) == []
    assert not job.summary.exists()
    assert not job.output.exists()


def test_every_format_is_a_file_by_its_suffix(job: Job) -> None:
    files = [option for suffix in ("json", "md", "xml", "prom") for option in ("-o", f"gate.{suffix}")]
    assert run([*two_runs(1.2), *files]) == 1
    begun = {suffix: Path(f"gate.{suffix}").read_text()[:5] for suffix in ("json", "md", "xml", "prom")}
    assert begun == {"json": '{\n "k', "md": "<!-- ", "xml": "<?xml", "prom": "# HEL"}


def test_the_output_of_a_command_that_fails_gives_no_commands(
    job: Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made = made_repository(job.output.parent / "project", benchmark="echo ::error::mine; exit 9")
    monkeypatch.chdir(made)
    assert run(["gate", "--against", "HEAD", "--command", COMMAND, "--quiet", "--debug"]) == 6
    lines = capfd.readouterr().err.splitlines()
    place = lines.index("::error::mine")
    token = lines[place - 1].removeprefix("::stop-commands::")
    assert (len(token), lines[place + 1]) == (32, f"::{token}::")
    assert os.environ["GITHUB_ACTIONS"] == "true"
