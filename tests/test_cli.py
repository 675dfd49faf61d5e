"""The program as users meet it: what it prints where, and what it exits with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from synapse_perf import __version__
from synapse_perf.cli import run
from synapse_perf.errors import InputError

HEAVY = {"numpy", "scipy", "faiss", "llama_cpp", "psutil", "playwright", "gguf", "rich.live"}


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "synapse_perf", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_command_and_every_exit_code() -> None:
    told = program("--help")

    assert told.returncode == 0
    for command in ("profile-load", "doctor", "models", "baseline", "report", "schema", "profiles", "cache"):
        assert command in told.stdout
    for code in ("0 pass", "1 a target missed", "2 wrong", "3 inconclusive", "4 not comparable", "130"):
        assert code in " ".join(told.stdout.split())


@pytest.mark.parametrize("arguments", [["--help"], ["profile-load", "--help"], ["--version"]])
def test_nothing_heavy_is_imported_for_help(arguments: list[str]) -> None:
    code = f"import sys; from synapse_perf.cli import run; run({arguments!r}); sys.stderr.write(' '.join(sys.modules))"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr

    assert HEAVY & set(told.split()) == set()


def test_the_version_is_data() -> None:
    told = program("--version")

    assert (told.returncode, told.stdout, told.stderr) == (0, f"synapse-perf {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["profile-load", "--no-such-option"],
        ["profile-load", "--trials", "none"],
        ["profile-load", "--confidence", "2"],
        ["profile-load", "--max-time", "soon"],
        ["profile-load", "--target", "no-such-target<1s"],
        ["profile-load", "--profile", "no-such-profile"],
        ["profile-load", "--load-mode", "teleport"],
        ["profile-load", "-ngl", "many"],
        ["profile-load", "-ctk", "q3_7"],
        ["profile-load", "-o", "report.pdf"],
        ["profile-load", "/nowhere/model.gguf"],
        ["report", "no-such-file.json"],
    ],
)
def test_wrong_usage_is_one_line_with_a_remedy_and_exit_code_2(arguments: list[str]) -> None:
    told = program(*arguments)

    assert told.returncode == 2
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    first, *rest = told.stderr.splitlines()
    assert first.startswith("error: ")
    assert all(line.startswith("hint: ") for line in rest)


def test_a_missing_baseline_is_exit_code_5_before_anything_is_measured() -> None:
    told = program("profile-load", "--baseline", "no-such-baseline")

    assert told.returncode == 5
    assert "no-such-baseline" in told.stderr


def test_a_fault_of_the_program_itself_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault() -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("synapse_perf.results.json_schema", fault)

    code = run(["schema"])

    assert code == 6
    assert "a fault of synapse-perf itself: ZeroDivisionError: planted" in capsys.readouterr().err


def test_an_error_of_ours_keeps_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault() -> None:
        raise InputError("what happened", "what to do")

    monkeypatch.setattr("synapse_perf.results.json_schema", fault)

    code = run(["schema"])

    assert (code, capsys.readouterr().err) == (2, "error: what happened\nhint: what to do\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m synapse_perf schema | head -c 10"

    told = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)

    assert told.stderr == ""
