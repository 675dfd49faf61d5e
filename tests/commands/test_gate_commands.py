"""Which commands does a gate run by itself? Those of a profile, on the code and with the profile of each side."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.cli import run
from synapse_perf.commands.gate_commands import can_differ, profile_argument, profile_commands
from synapse_perf.errors import InputError
from tests.analyze.trials import single
from tests.commands.made_repository import git, made_repository
from tests.made_results import made_result

RETRIEVER = '[bench-cgrag]\nretriever = "search:make"\n'
FUNCTIONS = '[leak-hunt]\nfunctions = ["search:remember"]\n'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = made_repository(tmp_path / "project")
    monkeypatch.chdir(made)
    return made


def words_of(command: str) -> list[str]:
    """What the tool is asked for, after the interpreter and its program."""
    return shlex.split(command)[4:]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        (RETRIEVER, ["bench-cgrag"]),
        (FUNCTIONS, ["leak-hunt"]),
        (RETRIEVER + FUNCTIONS, ["bench-cgrag", "leak-hunt"]),
        ('[models]\nfast = "models/own.gguf"\n', ["profile-load"]),
        ("[tier-latency]\nmax_tokens = 8\n", ["tier-latency"]),
        ('run = ["bench-cgrag"]\n[tier-latency]\nmax_tokens = 8\n', ["bench-cgrag"]),
        ('[ws-latency]\nurl = "ws://127.0.0.1:8000/ws"\n', ["ws-latency"]),
    ],
)
def test_each_benchmark_that_a_profile_has_a_section_for_is_run_in_its_share_of_the_time(
    repository: Path, profile: str, names: list[str]
) -> None:
    (repository / "perf.toml").write_text(profile)
    commands = profile_commands("perf.toml", 1200.0)
    assert [words_of(command)[0] for command in commands] == names
    for command in commands:
        words = words_of(command)
        assert words[1:3] == ["--profile", "./perf.toml"]
        assert words[words.index("--max-time") + 1] == f"{20 / len(names):g}s"
        assert words[-2:] == ["--output", "$SYNAPSE_PERF_OUTPUT"]


def test_a_shorter_time_of_the_profile_stands(repository: Path) -> None:
    (repository / "perf.toml").write_text(RETRIEVER + '[sampling]\nmax_time = "3s"\n')
    (command,) = profile_commands("perf.toml", 1200.0)
    assert "--max-time 3s" in command


def test_a_profile_without_a_benchmark_is_told(repository: Path) -> None:
    (repository / "perf.toml").write_text('description = "nothing"\n')
    with pytest.raises(InputError, match="has no benchmark"):
        profile_commands("perf.toml", 1200.0)


def test_a_profile_of_the_repository_is_that_of_each_side_and_any_other_the_same_for_both(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "inner").mkdir()
    for place in (repository / "perf.toml", tmp_path / "outside.toml"):
        place.write_text("[tier-latency]\nmax_tokens = 8\n")
    monkeypatch.chdir(repository / "inner")
    assert profile_argument("../perf.toml") == "./../perf.toml"
    assert profile_argument(str(tmp_path / "outside.toml")) == str((tmp_path / "outside.toml").resolve())
    assert Path(profile_argument("ci-cpu")).is_absolute()
    assert can_differ("../perf.toml")
    assert not can_differ(str(tmp_path / "outside.toml"))
    (tmp_path / "outside.toml").write_text(FUNCTIONS)
    assert can_differ(str(tmp_path / "outside.toml"))


def test_a_side_without_the_profile_is_told_before_anything_is_measured(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "perf.toml").write_text(FUNCTIONS)
    assert run(["gate", "--against", "HEAD", "--profile", "perf.toml", "--quiet"]) == 2
    assert "has no ./perf.toml" in capsys.readouterr().err.splitlines()[0]


def test_several_commands_are_one_run_of_a_side(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with its metrics under its name; a slowdown in the second is found."""
    for name in ("leak-hunt", "bench-cgrag"):
        results.write(
            f"{name}.json", replace(made_result(name), metrics=(single(7.125, 7.125),), checks=(), failures=())
        )
    (repository / "time").write_text("1.0")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "what they write")
    filled = 'sed "s/7.125/$(cat time)000$$/" bench-cgrag.json > "$SYNAPSE_PERF_OUTPUT"'
    commands = ('cp leak-hunt.json "$SYNAPSE_PERF_OUTPUT"', filled)
    monkeypatch.setattr("synapse_perf.commands.gate_commands.profile_commands", lambda *_: commands)
    (repository / "time").write_text("1.2")
    assert run(["gate", "--against", "HEAD", "--profile", "ci-cpu", "--quiet", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    rows = {row["metric"].partition(":")[0]: row["status"] for row in found["rows"] if not row["stands_for"]}
    assert rows == {"leak-hunt": "unchanged", "bench-cgrag": "regressed"}
    assert any("nothing that was measured is of this repository" in warning for warning in found["warnings"])
