"""`report` renders a saved run again: to stdout, to files, in each format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from synapse_perf import results
from synapse_perf.commands.report import report
from synapse_perf.errors import InputError
from synapse_perf.report.render import render
from tests.made_results import made_result, made_suite


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(report)
    return CliRunner().invoke(app, list(arguments))


def test_the_newest_run_is_shown_when_none_is_named() -> None:
    results.save_run(made_result())

    assert run().stdout == render(made_result(), "console")


@pytest.mark.parametrize("kind", ["json", "md", "console"])
def test_each_format_goes_to_stdout_as_the_renderer_made_it(kind: str, tmp_path: Path) -> None:
    results.write(tmp_path / "r.json", made_result())

    assert run(str(tmp_path / "r.json"), "--format", kind).stdout == render(made_result(), kind)  # type: ignore[arg-type]


def test_files_are_written_by_their_suffix_and_stdout_stays_empty(tmp_path: Path) -> None:
    results.save_run(made_result())

    done = run("last", "-o", str(tmp_path / "report.md"), "-o", str(tmp_path / "again.json"))

    assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "report.md").read_text("utf-8") == render(made_result(), "md", ascii_only=False)
    assert results.load(tmp_path / "again.json") == made_result()


def test_stdout_is_used_beside_a_file_when_asked(tmp_path: Path) -> None:
    results.save_run(made_result())

    assert run("last", "-o", str(tmp_path / "r.md"), "--format", "json").stdout == results.dumps(made_result())


def test_no_file_is_written_when_one_of_them_cannot_be(tmp_path: Path) -> None:
    results.save_run(made_result())

    done = run("last", "-o", str(tmp_path / "r.md"), "-o", str(tmp_path / "r.docx"))

    assert isinstance(done.exception, InputError)
    assert list(tmp_path.iterdir()) == []


def test_without_a_run_the_error_is_for_the_user() -> None:
    assert isinstance(run("last").exception, InputError)


def test_a_suite_is_shown_run_by_run_and_kept_whole_as_json(tmp_path: Path) -> None:
    results.write(tmp_path / "s.json", made_suite())

    shown = run(str(tmp_path / "s.json"), "--format", "md").stdout

    assert all(render(each, "md").strip() in shown for each in made_suite().results)
    assert run(str(tmp_path / "s.json"), "--format", "json").stdout == results.dumps(made_suite())
    assert run(str(tmp_path / "s.json"), "-o", str(tmp_path / "s.md")).exit_code == 0
    assert (tmp_path / "s.md").read_text("utf-8").startswith("# PASS")


def test_several_runs_of_one_command_have_no_page_of_their_own(tmp_path: Path) -> None:
    results.write(tmp_path / "s.json", replace(made_suite(), results=(made_result(), made_result())))

    assert isinstance(run(str(tmp_path / "s.json"), "-o", str(tmp_path / "s.md")).exception, InputError)
