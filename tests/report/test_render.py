from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.errors import InputError
from synapse_perf.model import Result
from synapse_perf.report.render import FORMATS, Format, check_output_path, render, terminal_width, write_output
from tests.report.every_example import EVERY
from tests.report.examples import full, result


def test_every_format_renders_and_ends_its_last_line() -> None:
    for kind in FORMATS:
        text = render(full(), kind)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


@pytest.mark.parametrize("name", EVERY)
def test_a_run_that_was_written_renders_as_before(name: str, tmp_path: Path) -> None:
    before = EVERY[name]()
    write_output(before, tmp_path / "run.json")
    after = results.load(tmp_path / "run.json")
    assert isinstance(after, Result)
    assert render(after, "console", width=80) == render(before, "console", width=80)


def test_markdown_to_a_file_is_utf_8_whatever_stdout_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    write_output(full(), tmp_path / "run.MD")
    assert "█" in (tmp_path / "run.MD").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", FORMATS)
def test_an_ascii_stdout_gets_ascii(kind: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    text = render(result(profile="Ménage 😀"), kind)
    assert text.isascii()
    if kind == "json":
        assert json.loads(text)["profile"] == "Ménage 😀"


def test_what_is_piped_has_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert "\x1b" not in render(full(), "console")


def test_columns_decides_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "97")
    assert terminal_width() == 97


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.txt"])
def test_an_unknown_format_says_which_there_are(name: str, tmp_path: Path) -> None:
    for refuse in (check_output_path, lambda path: write_output(full(), path)):
        with pytest.raises(InputError) as caught:
            refuse(tmp_path / name)
        assert caught.value.remedy == "name a file that ends in .json, .md, .html, .xml or .prom"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_refused_before_measuring(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory does not exist"):
        check_output_path(tmp_path / "missing" / "report.md")


def test_a_good_path_is_not_touched_before_there_is_something_to_write(tmp_path: Path) -> None:
    check_output_path(tmp_path / "report.md")
    assert list(tmp_path.iterdir()) == []


def test_the_module_itself_imports_no_rich() -> None:
    code = "import sys, synapse_perf.report.render, synapse_perf.report.progress; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
