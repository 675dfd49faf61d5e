"""Names that a shell, a terminal or a file system makes strange, and profiles that name what is not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.faults.program import QUICK, profile, run

NAMES = {
    "spaces": "with some spaces.gguf",
    "unicode": "mödel-日本語-🙂.gguf",
    "line break": "two\nlines.gguf",
    "escape": "red\x1b[31m.gguf",
    "quotes": 'it\'s "so" $HOME `x` [bold].gguf',
    "no suffix": "bare",
}


def test_strange_names_are_measured_and_never_reach_the_terminal_as_they_are(original: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in NAMES.values()]
    if sys.platform == "linux":  # elsewhere file names are text
        paths.append(tmp_path / os.fsdecode(b"not-\xff-text.gguf"))
    for path in paths:
        os.link(original, path)

    told = run("profile-load", *paths, *QUICK, "-o", tmp_path / "r.json", "--log", tmp_path / "l")

    assert told.code == 0
    assert "\x1b" not in told.out
    assert "red?[31m" in told.out
    assert f"{len(paths)} models" not in told.err
    assert (tmp_path / "r.json").exists()


def test_a_name_that_begins_with_a_dash_is_a_file_after_two_dashes(original: Path, tmp_path: Path) -> None:
    os.link(original, tmp_path / "-x.gguf")

    told = run("profile-load", "-r", "1", "--cache", "warm", "--no-fit", "--quiet", "--", "-x.gguf", cwd=tmp_path)

    assert (told.code, told.err) == (0, "")


def test_a_name_that_begins_with_a_dash_is_an_option_otherwise(original: Path, tmp_path: Path) -> None:
    os.link(original, tmp_path / "-x.gguf")

    told = run("profile-load", "-x.gguf", cwd=tmp_path)

    assert told.code == 2
    assert told.err == (
        "error: No such option: -x\n"
        "hint: see 'synapse-perf profile-load --help'; a file name that begins with a dash is written ./-NAME\n"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "the name of a model is empty"),
        (" ", "the name of a model is empty"),
        ("a" * 4000, "aaaa... cannot be read: file name too long"),
        ("/nowhere/" + "a/" * 2000 + "x.gguf", "x.gguf"),
        ("no\nsuch\x1b[31mmodel", "no model is named 'no such?[31mmodel'"),
        ("/dev/null", "/dev/null is not a regular file"),
        ("/nowhere/model.gguf", "/nowhere/model.gguf does not exist"),
        ("~nobody-of-this-name/model.gguf", "~nobody-of-this-name/model.gguf does not exist"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_name_of_nothing_is_one_line_with_a_remedy(name: str, words: str) -> None:
    told = profile(name)

    assert (told.code, told.out) == (2, "")
    cause, remedy = told.err.splitlines()
    assert cause.startswith("error: ")
    assert words in cause
    assert remedy.startswith("hint: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sampling]\nmax_tim = '5m'", ":2: 'max_tim' is not known in [sampling]\nhint: did you mean 'max_time'?"),
        ("[sampling]\nmax_time = 'soon'", ":2: sampling.max_time: "),
        ("[profile-load]\nload_modes = ['teleport']", ":2: profile-load.load_modes[0] must be "),
        ("models = 'none'", ":1: models is 'none'\nhint: write "),
        ("[targets]\nno-such = '1s'", ":2: targets.no-such: "),
        ("not toml", ":1: not valid TOML: "),
    ],
)
def test_a_wrong_profile_is_one_line_with_its_place(good: Path, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)

    told = profile(good, "--profile", file)

    assert (told.code, told.out) == (2, "")
    assert f"error: {file}{words}" in told.err


def test_a_model_that_a_profile_names_in_vain_is_left_out(good: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[models]\nfast = "good.gguf"\ndeep = "gone.gguf"\n')

    told = profile("--profile", file)

    assert (told.code, told.measured) == (2, {"fast"})
    assert f"{good.parent}/gone.gguf does not exist" in told.err
    (failure,) = told.result["failures"]
    assert failure["labels"] == {"model": "deep"}
