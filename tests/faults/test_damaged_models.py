"""A model that cannot be measured: alone it ends the run in one line, beside others it is told and left out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.faults.damage import BEFORE_MEASURING, BY_LLAMA_CPP, Damage, no_layers
from tests.faults.program import Told, profile, run, saved_runs, state, unfinished


def test_each_wrong_file_alone_is_one_line_with_a_remedy(original: Path, tmp_path: Path) -> None:
    """All in one test, for there is nothing to start: the first line is the cause, the second the remedy."""
    for damage, words in BEFORE_MEASURING.items():
        told = profile(damage(original, tmp_path))

        assert (told.code, told.out) == (2, ""), damage.__name__
        (error,) = told.errors
        cause, remedy = error.split("\n")
        assert words in cause
        assert remedy.startswith("hint: ")
    assert not (state() / "runs").exists()
    assert unfinished(state()) == []


@pytest.fixture(scope="module")
def among_wrong_files(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("beside")
    return profile(*[damage(original, folder) for damage in BEFORE_MEASURING], original)


def test_a_good_model_beside_wrong_files_is_measured_and_the_code_is_2(among_wrong_files: Told) -> None:
    assert among_wrong_files.code == 2
    assert among_wrong_files.measured == {"good"}


def test_each_wrong_file_is_told_before_the_others_are_measured(among_wrong_files: Told) -> None:
    told, _, after = among_wrong_files.err.partition("the other model is measured\n")

    for words in BEFORE_MEASURING.values():
        assert words in told
    assert "error: " not in after
    assert told.count("\nhint: ") == len(BEFORE_MEASURING)


def test_each_wrong_file_is_in_the_report(among_wrong_files: Told) -> None:
    messages = [failure["message"] for failure in among_wrong_files.result["failures"]]

    assert len(messages) == len(BEFORE_MEASURING)
    for words in BEFORE_MEASURING.values():
        assert len([message for message in messages if words in message]) == 1


@pytest.fixture(scope="module")
def among_refused(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("refused")
    return profile(*[damage(original, folder) for damage in BY_LLAMA_CPP], original)


def test_a_good_model_beside_what_llama_cpp_refuses_is_measured_and_the_code_is_6(among_refused: Told) -> None:
    assert among_refused.code == 6
    assert among_refused.measured == {"good"}


@pytest.mark.parametrize("damage", BY_LLAMA_CPP)
def test_a_refusal_carries_llama_cpps_own_words(among_refused: Told, damage: Damage) -> None:
    words = BY_LLAMA_CPP[damage]

    (error,) = [error for error in among_refused.errors if words in error]
    assert error.split("\n")[1].startswith("hint: ")
    messages = {failure["message"]: failure["detail"] for failure in among_refused.result["failures"]}
    assert [detail for message, detail in messages.items() if message in error] != [""]


def test_what_llama_cpp_refuses_alone_is_reported_saved_and_the_code_is_6(original: Path, tmp_path: Path) -> None:
    """As in a terminal, and with --debug for llama.cpp's log."""
    told = run("profile-load", no_layers(original, tmp_path), "-r", "1", "--cache", "warm", "--debug")

    assert told.code == 6
    assert "the worker died of SIGABRT in the stage: loading the model: GGML_ASSERT" in " ".join(told.out.split())
    assert [failure["kind"] for failure in saved_runs()[0]["failures"]] == ["crash"]
    assert "print_info: file format = GGUF" in told.err


def test_several_wrong_files_without_a_good_one_are_told_at_once(original: Path, tmp_path: Path) -> None:
    told = profile(*[damage(original, tmp_path) for damage in BEFORE_MEASURING])

    assert (told.code, told.out) == (2, "")
    (error,) = told.errors
    assert error.count("; ") >= 4
    assert f"; and {len(BEFORE_MEASURING) - 4} more\nhint: " in error


def test_what_is_wrong_before_wins_over_what_fails_later(original: Path, good: Path, tmp_path: Path) -> None:
    wrong = next(iter(BEFORE_MEASURING))(original, tmp_path)
    refused = next(iter(BY_LLAMA_CPP))(original, tmp_path)

    told = profile(wrong, refused, good)

    assert told.code == 2
    assert told.measured == {"good"}
    assert len(told.errors) == 2


def test_a_file_that_may_not_be_read_is_told_as_such(good: Path, original: Path, tmp_path: Path) -> None:
    secret = Path(shutil.copy(original, tmp_path / "secret.gguf"))
    secret.chmod(0)

    told = profile(secret, good, before=_without_roots_rights())

    assert (told.code, told.measured) == (2, {"good"})
    assert "secret.gguf may not be read by this user\nhint: check its permissions: ls -l '" in told.err


def _without_roots_rights() -> list[str]:
    """A command that takes from root what lets it read everything."""
    if os.geteuid():
        return []
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def test_a_model_that_vanishes_while_it_is_measured_fails_alone(good: Path, original: Path, tmp_path: Path) -> None:
    vanishing = Path(shutil.copy(original, tmp_path / "vanish-2-x.gguf"))

    told = run("profile-load", vanishing, good, "-r", "4", "--cache", "warm", "--no-fit", "--format", "json")

    assert told.code == 6
    assert told.measured == {"good", "vanish-2-x"}  # the start before it went is kept
    assert all("vanish-2-x.gguf" in error and "No such file or directory" in error for error in told.errors)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-c", "2000000000"], "the KV cache of a context of 2000000000 takes"),
        (["-c", "4294967296"], "-c 4294967296: 4294967296 is above 2147483647"),
        (["-b", "4294967296"], "-b 4294967296: 4294967296 is above 2147483647"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused_before_measuring(
    good: Path, arguments: list[str], words: str
) -> None:
    told = profile(good, *arguments)

    assert (told.code, told.out) == (2, "")
    assert words in told.err
