"""run from the command line: several commands, one table, one file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from synapse_perf import cli
from synapse_perf.results import list_runs, state_directory
from synapse_perf.results.runs import SUITE

ENDED_WITHIN_S = 60.0
PROFILE = """
models = "embedded"
run = ["profile-load", "ws-latency"]

[sampling]
trials = 1
max_time = "20s"

[profile-load]
models = ["fast"]
caches = ["warm"]

[ws-latency]
sample = true
messages = 20
"""


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synapse_perf", "run", "--profile", "./small.toml", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=cwd)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(PROFILE)
    return tmp_path


def suite_in(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_all_rows_of_the_table_in_one_file_and_one_page(directory: Path) -> None:
    told = program("-o", "s.json", "-o", "s.md", cwd=directory)

    assert told.returncode == 0, told.stderr
    suite = suite_in(directory / "s.json")
    assert suite["kind"] == "suite"
    assert [result["benchmark"] for result in suite["results"]] == ["profile-load", "ws-latency"]
    assert len({check["target"] for check in suite["checks"]}) == 11
    rows = [line for line in told.stdout.splitlines() if "NOT MEASURED" in line or line.rstrip().endswith("sample")]
    assert len([line for line in rows if line.split()[0] in {check["target"] for check in suite["checks"]}]) == 11
    assert "measure it: synapse-perf ui-fps URL" in " ".join(told.stdout.split())
    assert "1 of 2: profile-load" in told.stderr
    assert "# NOT MEASURED" in (directory / "s.md").read_text()
    assert len(list_runs()) == 1  # the suite, not each of its commands


def test_one_that_cannot_run_leaves_the_others_and_says_why_in_its_rows(directory: Path) -> None:
    (directory / "small.toml").write_text(
        PROFILE.replace('"ws-latency"]', '"bench-cgrag"]') + '[bench-cgrag]\ncorpus = "nowhere"\n'
    )

    told = program("-o", "s.json", cwd=directory)

    assert told.returncode == 2
    suite = suite_in(directory / "s.json")
    assert [result["benchmark"] for result in suite["results"]] == ["profile-load"]
    assert "nowhere" in next(check["reason"] for check in suite["checks"] if check["target"] == "cgrag-warm")
    assert "error: bench-cgrag:" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_ends_early_is_kept_and_gone_on_with(number: signal.Signals, directory: Path) -> None:
    """Also one that is killed: what was finished is in the file, and nothing that it started goes on."""
    command = [sys.executable, "-m", "synapse_perf", "run", "--profile", "./small.toml"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=directory) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("2 of 2"):
                break
        below = some_process_below(running.pid)
        os.kill(running.pid, number)
        out, err = running.communicate(timeout=120)
    assert running.returncode == (130 if number == signal.SIGINT else -number), err
    assert "NOT MEASURED" in out or number == signal.SIGKILL
    assert psutil.wait_procs(below, timeout=ENDED_WITHIN_S)[1] == []
    assert [one["benchmark"] for one in suite_in(list_runs(SUITE)[0])["results"]][:1] == ["profile-load"]

    again = program("--resume", "-o", "s.json", cwd=directory)

    assert again.returncode == 0, again.stderr
    assert "taken over: profile-load" in again.stderr
    assert [one["benchmark"] for one in suite_in(directory / "s.json")["results"]] == ["profile-load", "ws-latency"]
    assert len(list_runs(SUITE)) == 1


def some_process_below(pid: int) -> list[psutil.Process]:
    """All that the program has started, as soon as there is any."""
    deadline = time.monotonic() + ENDED_WITHIN_S
    while time.monotonic() < deadline:
        if below := psutil.Process(pid).children(recursive=True):
            return below
        time.sleep(0.01)
    return []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--only", "profile-lood"), "'profile-lood' is no measuring command"),
        (("--skip", "profile-load,ws-latency"), "nothing is left to run"),
        (("--resume",), "--resume: no run is saved that could go on"),
        (("--max-time", "0s"), "--max-time 0s: leaves no time"),
        (("--alerts", "none/rules.yml"), "none/rules.yml: cannot be written"),
    ],
)
def test_wrong_input_is_told_before_anything_is_measured(
    arguments: tuple[str, ...],
    told: str,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(directory)

    assert cli.run(["run", "--profile", "./small.toml", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not (state_directory() / "runs").exists() or not list_runs(SUITE)


def test_a_profile_that_names_no_command_is_told_with_what_there_is(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(directory)
    (directory / "small.toml").write_text(PROFILE.replace('"ws-latency"]', '"ws-latncy"]'))

    assert cli.run(["run", "--profile", "./small.toml"]) == 2
    assert 'small.toml:3: run: "ws-latncy" is no measuring command' in capsys.readouterr().err
