"""`baseline save|list|show`: bless a run, see what is blessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from synapse_perf import baselines, results
from synapse_perf.commands.baseline import app
from synapse_perf.errors import InputError, NoBaselineError
from synapse_perf.report.render import render
from tests.made_results import made_result, made_suite


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_save_takes_the_newest_run_and_prints_its_file() -> None:
    results.save_run(made_result())

    done = run("save", "main")

    assert (done.exit_code, done.stdout) == (0, "baselines/main.json\n")
    assert baselines.load("main") == made_result()


def test_save_takes_the_run_that_is_named_and_replaces_only_with_force() -> None:
    results.write("other.json", made_result("bench-cgrag"))
    results.save_run(made_result())
    run("save", "main")

    assert isinstance(run("save", "main", "other.json").exception, InputError)
    assert run("save", "main", "other.json", "--force").exit_code == 0
    assert baselines.load("main") == made_result("bench-cgrag")


def test_list_shows_each_baseline_and_the_damaged_one_with_its_fault() -> None:
    baselines.save("main", made_result())
    baselines.save("whole", made_suite())
    Path("baselines/bad.json").write_text("")

    assert run("list").stdout.splitlines() == [
        "NAME   COMMAND       STARTED           COMMIT      VERDICT",
        "bad    the file is empty",
        "main   profile-load  2026-11-23 10:15  c0ffee1234  pass",
        "whole  run           2026-11-23 10:15  c0ffee1234  pass",
    ]


def test_list_without_baselines_says_so_beside_an_empty_stdout() -> None:
    done = run("list")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "no baselines here" in done.stderr


def test_show_renders_the_baseline() -> None:
    baselines.save("main", made_result())

    assert run("show", "main").stdout == render(made_result(), "console")
    assert run("show", "main", "--format", "md").stdout == render(made_result(), "md")


def test_show_of_a_missing_one_is_told() -> None:
    assert isinstance(run("show", "main").exception, NoBaselineError)
