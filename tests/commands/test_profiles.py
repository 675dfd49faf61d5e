"""`profiles list|show`: what comes with the tool, and a start for one's own."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from synapse_perf.commands.profiles import app
from synapse_perf.errors import InputError
from synapse_perf.profiles import builtin_profiles, load_profile


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_list_shows_each_with_what_it_is_for_within_80_columns() -> None:
    lines = run("list").stdout.splitlines()

    assert [line.split()[0] for line in lines] == [path.stem for path in builtin_profiles()]
    assert all(load_profile(line.split()[0]).description in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_what_show_prints_is_a_profile_of_the_same_content(tmp_path: Path) -> None:
    for path in builtin_profiles():
        copy = tmp_path / path.name
        copy.write_text(run("show", path.stem).stdout, "utf-8")

        assert load_profile(str(copy)) == load_profile(path.stem)


def test_show_of_an_unknown_or_wrong_profile_is_told(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("x = 1")

    assert isinstance(run("show", "nothing").exception, InputError)
    assert isinstance(run("show", str(tmp_path / "wrong.toml")).exception, InputError)
