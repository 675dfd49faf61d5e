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

import pytest

from synapse_perf.results import list_runs, state_directory
from synapse_perf.results.runs import SUITE

PROFILE = """
models = "embedded"
run = ["profile-load", "bench-cgrag"]

[sampling]
trials = 1
max_time = "20s"

[profile-load]
models = ["fast"]
caches = ["warm"]

[bench-cgrag]
corpus = "texts"
states = ["warm"]
"""


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "synapse_perf", "run", "--profile", "./small.toml", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=cwd)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(PROFILE)
    (tmp_path / "texts").mkdir()
    for number in range(30):
        (tmp_path / "texts" / f"{number}.md").write_text(
            f"# The number {number * 7}\n" + f"Text {number} tells of it.\n" * 5
        )
    return tmp_path


def suite_in(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_all_rows_of_the_table_in_one_file_and_one_page(directory: Path) -> None:
    told = program("-o", "s.json", "-o", "s.md", cwd=directory)

    assert told.returncode == 0, told.stderr
    suite = suite_in(directory / "s.json")
    assert suite["kind"] == "suite"
    assert [result["benchmark"] for result in suite["results"]] == ["profile-load", "bench-cgrag"]
    assert len({check["target"] for check in suite["checks"]}) == 11
    rows = [line for line in told.stdout.splitlines() if "NOT MEASURED" in line or line.rstrip().endswith("sample")]
    assert len([line for line in rows if line.split()[0] in {check["target"] for check in suite["checks"]}]) == 11
    assert "measure it: synapse-perf ws-latency URL" in " ".join(told.stdout.split())
    assert "1 of 2: profile-load" in told.stderr
    assert "# NOT MEASURED" in (directory / "s.md").read_text()
    assert len(list_runs()) == 1  # the suite, not each of its commands


def test_one_that_cannot_run_leaves_the_others_and_says_why_in_its_rows(directory: Path) -> None:
    (directory / "small.toml").write_text(PROFILE.replace('"texts"', '"nowhere"'))

    told = program("-o", "s.json", cwd=directory)

    assert told.returncode == 2
    suite = suite_in(directory / "s.json")
    assert [result["benchmark"] for result in suite["results"]] == ["profile-load"]
    assert "nowhere" in next(check["reason"] for check in suite["checks"] if check["target"] == "cgrag-warm")
    assert "error: bench-cgrag:" in told.stderr
    assert "Traceback" not in told.stderr


def test_an_interrupted_run_is_kept_and_gone_on_with(directory: Path) -> None:
    command = [sys.executable, "-m", "synapse_perf", "run", "--profile", "./small.toml"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=directory) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("2 of 2"):
                break
        time.sleep(0.2)
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    assert "NOT MEASURED" in out
    assert [one["benchmark"] for one in suite_in(list_runs(SUITE)[0])["results"]][:1] == ["profile-load"]

    again = program("--resume", "-o", "s.json", cwd=directory)

    assert again.returncode == 0, again.stderr
    assert "taken over: profile-load" in again.stderr
    assert [one["benchmark"] for one in suite_in(directory / "s.json")["results"]] == ["profile-load", "bench-cgrag"]
    assert len(list_runs(SUITE)) == 1


def test_only_and_skip_refuse_what_leaves_nothing(directory: Path) -> None:
    unknown = program("--only", "profile-lood", cwd=directory)
    nothing = program("--skip", "profile-load,bench-cgrag", cwd=directory)

    assert unknown.returncode == 2
    assert "'profile-lood' is no measuring command" in unknown.stderr
    assert nothing.returncode == 2
    assert "nothing is left to run" in nothing.stderr


def test_a_profile_that_names_no_command_is_told_with_what_there_is(directory: Path) -> None:
    (directory / "small.toml").write_text(PROFILE.replace('"bench-cgrag"]', '"bench-crag"]'))

    told = program(cwd=directory)

    assert told.returncode == 2
    assert 'small.toml:3: run: "bench-crag" is no measuring command' in told.stderr


def test_nothing_to_go_on_with_is_told(directory: Path) -> None:
    told = program("--resume", cwd=directory)

    assert told.returncode == 2
    assert "--resume: no run is saved that could go on" in told.stderr
    assert not (state_directory() / "runs").exists() or not list_runs(SUITE)
