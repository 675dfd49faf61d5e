"""profile-load from the command line to the report, on real models, in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.gguf_files.embedded import embedded_models
from synapse_perf.results import list_runs, load

PARTS = {"interpreter", "import", "harness", "backend", "metadata", "vocabulary", "tensors", "context", "first_token"}


@pytest.fixture(scope="module")
def model() -> Path:
    return embedded_models()["fast"]


def program(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "synapse_perf", "profile-load", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def measured(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    directory = tmp_path_factory.mktemp("measured")
    told = program(str(model), "--load-mode", "mmap,read", "-o", "r.json", "-o", "r.md", "--no-fit", cwd=directory)
    return told, directory


def result_of(measured: tuple[subprocess.CompletedProcess[str], Path]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((measured[1] / "r.json").read_text())
    return content


def test_a_sample_works_here_and_is_no_verdict(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    told, _ = measured

    assert told.returncode == 0
    assert "works here (sample, not your system)" in told.stdout.splitlines()[0]
    assert result_of(measured)["subject"] == "sample"
    assert {check["status"] for check in result_of(measured)["checks"]} == {"not-measured"}


def test_the_phases_and_the_residual_are_the_whole_start(
    measured: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """Process by process: nothing is counted twice and nothing is left out."""
    metrics = result_of(measured)["metrics"]
    labels = {"cache": "cold", "device": "cpu", "model": "embedded-fast"}
    total = next(m for m in metrics if m["name"] == "model_startup_time" and m["labels"] == labels)
    model = total["labels"]["model"]
    phases = [
        m
        for m in metrics
        if m["name"] == "phase_time"
        and m["labels"]["model"] == model
        and m["labels"]["cache"] == "cold"
        and "variant" not in m["labels"]
        and "." not in m["labels"]["phase"]
        and m["labels"]["phase"] != "floor"
    ]

    assert {m["labels"]["phase"] for m in phases} >= PARTS | {"residual"}
    for index, trial in enumerate(total["trials"]):
        assert sum(m["trials"][index]["samples"][0] for m in phases) == pytest.approx(trial["samples"][0])


def test_cold_and_warm_starts_carry_their_certificates(
    measured: tuple[subprocess.CompletedProcess[str], Path], model: Path
) -> None:
    starts = [m for m in result_of(measured)["metrics"] if m["name"] == "model_startup_time"]

    for metric in starts:
        for trial in metric["trials"]:
            resident, read = trial["facts"]["resident_before"][0], trial["facts"]["read_bytes"][0]
            if metric["labels"]["cache"] == "cold":
                assert resident <= 0.01
                assert read >= 0.9 * model.stat().st_size
            elif metric["labels"]["cache"] == "warm":
                assert resident >= 0.99
                # Libraries that another program had pushed out of memory are read again, the model is not.
                assert read < 0.5 * model.stat().st_size


def test_every_case_has_the_least_number_of_processes(
    measured: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    starts = [m for m in result_of(measured)["metrics"] if m["name"] == "model_startup_time"]

    assert sum(m["summary"]["processes"] for m in starts) == 4 * 6


def test_the_run_is_saved_and_can_be_shown_again(model: Path, tmp_path: Path) -> None:
    program(str(model), "--cache", "warm", "-r", "6", "--no-fit", "--quiet")

    again = subprocess.run(
        [sys.executable, "-m", "synapse_perf", "report", "last", "-o", str(tmp_path / "again.md")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert again.returncode == 0
    assert "works here" in (tmp_path / "again.md").read_text()


def test_another_interpreter_measures_with_its_own_libraries(model: Path) -> None:
    told = program(str(model), "--python", sys.executable, "--cache", "warm", "-r", "1", "--no-fit", "--format", "json")

    assert told.returncode == 0
    assert json.loads(told.stdout)["failures"] == []


def test_a_dry_run_starts_nothing(model: Path) -> None:
    told = program(str(model), "--dry-run")

    assert told.returncode == 0
    assert "nothing was measured" in told.stdout
    assert list_runs() == ()


def test_an_interrupt_keeps_the_finished_trials_and_leaves_no_worker(model: Path) -> None:
    command = [sys.executable, "-m", "synapse_perf", "profile-load", str(model), "-r", "60", "--no-fit", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        _wait_for_trials(running)
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=120)

    assert running.returncode == 130
    assert "Traceback" not in err
    saved = load(list_runs("profile-load")[0])
    assert saved.kind == "result"
    assert saved.metrics
    assert "Start to first token" in out
    assert _workers() == []


def _wait_for_trials(program: subprocess.Popen[str]) -> None:
    """Until it has started its third worker."""
    import psutil

    seen: set[int] = set()
    while len(seen) < 3:
        seen |= {child.pid for child in psutil.Process(program.pid).children()}
        assert program.poll() is None


def _workers() -> list[list[str]]:
    """Those of this test, which its own state folder tells from others', also where their parent is gone."""
    import psutil

    own = os.environ["SYNAPSE_PERF_STATE_DIR"]
    running = psutil.process_iter(["cmdline", "environ"])
    found = [one.info["cmdline"] for one in running if (one.info["environ"] or {}).get("SYNAPSE_PERF_STATE_DIR") == own]
    return [words for words in found if "launch.py" in " ".join(words or ())]
