"""What fits into memory is planned and checked by loading, in real processes; and what happens where that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.load_plan import LoadRequest, plan_load
from synapse_perf.analyze.sampling import fixed
from synapse_perf.commands.load_fit import NO_TIME, FitReport, check_fit
from synapse_perf.commands.model_choice import Choice, choose_models
from synapse_perf.host.free_memory import main_memory
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.measure.session import Outcome, run_trials
from synapse_perf.model import Failure, Finding, Trial, TrialSpec
from synapse_perf.profiles import load_profile
from synapse_perf.units import MIB
from tests.gguf_files.small_models import Tensor, gguf, write
from tests.llama.small_models import Shape, write_model

REQUEST = LoadRequest(contexts=(2048,), device="cpu")


class Runs:
    """Carries out trials for real, and keeps their specs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.specs: list[TrialSpec] = []

    def __call__(self, specs: Sequence[TrialSpec]) -> Outcome:
        self.specs += specs
        return run_trials(
            fixed(specs), planned=len(specs), register_directory=self.directory, observe=lambda event: None
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "tiny.gguf", Shape())
    write_model(folder / "wide.gguf", Shape(layers=4, kv_heads=8, heads=8, head_size=128))
    return folder


@pytest.fixture(scope="module")
def chosen(folder: Path) -> Choice:
    return choose_models([str(folder / "tiny.gguf")], load_profile(None), quiet=True)


@pytest.fixture(scope="module")
def start(chosen: Choice, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A start as profile-load measures it."""
    register = Register(tmp_path_factory.mktemp("register"))
    yield run_trial(plan_load(chosen.models, REQUEST)[0].spec, 1, register=register, observe=lambda event: None)
    register.end_all()


def only(report: FitReport) -> Finding:
    (finding,) = report.findings
    return finding


def test_the_largest_context_is_planned_and_checked_by_loading_it(chosen: Choice, start: Trial, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    finding = only(check_fit(chosen, REQUEST, [start], seconds_left=60, run=runs))
    assert [spec.benchmark for spec in runs.specs] == ["memory_fit", "profile_load"]
    assert (finding.id, finding.severity) == ("memory-fit", "info")
    evidence = finding.evidence
    assert evidence["checked_by_loading"] is True
    assert (evidence["checked_context"], evidence["largest_context"]) == (8192, 8192)
    computed, loaded = evidence["kv_computed_and_loaded_bytes"]
    assert computed == loaded == 8192 * 2 * 2 * 64 * 2
    computed, loaded = evidence["compute_computed_and_loaded_bytes"]
    assert computed == pytest.approx(loaded, abs=0.03 * MIB)
    assert loaded > 0


def test_a_measured_start_is_the_check_where_it_had_the_largest_context(chosen: Choice, tmp_path: Path) -> None:
    request = LoadRequest(contexts=(8192,), device="cpu")
    runs = Runs(tmp_path)
    started = runs([plan_load(chosen.models, request)[0].spec]).trials
    finding = only(check_fit(chosen, request, started, seconds_left=60, run=runs))
    assert [spec.benchmark for spec in runs.specs] == ["profile_load", "memory_fit"]
    assert finding.evidence["checked_by_loading"] is True


def test_where_llama_cpp_cannot_plan_the_header_and_the_start_give_an_estimate(chosen: Choice, start: Trial) -> None:
    def refuse(specs: Sequence[TrialSpec]) -> Outcome:
        failure = Failure("error", "this llama-cpp-python cannot plan")
        return Outcome(tuple(Trial(spec, 1, (), 0.1, failure=failure) for spec in specs), is_interrupted=False)

    report = check_fit(chosen, REQUEST, [start], seconds_left=60, run=refuse)
    finding = only(report)
    assert report.warnings == ("tiny: its memory could not be planned by llama.cpp: this llama-cpp-python cannot plan",)
    assert str(finding.evidence["how"]).startswith("estimated")
    assert finding.evidence["kv_bytes"] == 2048 * 2 * 2 * 64 * 2
    assert finding.evidence["largest_context"] == 8192
    assert finding.evidence["checked_context"] == 2048


def test_a_load_that_fails_is_told(chosen: Choice, start: Trial, tmp_path: Path) -> None:
    runs = Runs(tmp_path)

    def fail_to_load(specs: Sequence[TrialSpec]) -> Outcome:
        if specs[0].benchmark == "memory_fit":
            return runs(specs)
        failure = Failure("out-of-memory", "the system killed the worker")
        return Outcome(tuple(Trial(spec, 1, (), 0.1, failure=failure) for spec in specs), is_interrupted=False)

    finding = only(check_fit(chosen, REQUEST, [start], seconds_left=60, run=fail_to_load))
    assert finding.severity == "high"
    assert "failed: the system killed the worker" in finding.cause


def test_without_time_nothing_is_started(chosen: Choice, start: Trial, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert check_fit(chosen, REQUEST, [start], seconds_left=0, run=runs) == FitReport(warnings=(NO_TIME,))
    assert runs.specs == []


def test_with_little_time_the_measured_start_is_the_check(chosen: Choice, start: Trial, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    finding = only(check_fit(chosen, REQUEST, [start], seconds_left=1e-3, run=runs))
    assert [spec.benchmark for spec in runs.specs] == ["memory_fit"]
    assert finding.evidence["checked_context"] == 2048


def test_an_interruption_ends_it(chosen: Choice, start: Trial) -> None:
    report = check_fit(chosen, REQUEST, [start], seconds_left=60, run=lambda specs: Outcome((), is_interrupted=True))
    assert (report.findings, report.is_interrupted) == ((), True)


def program(*arguments: str) -> tuple[int, dict[str, Any]]:
    told = subprocess.run(
        [sys.executable, "-m", "synapse_perf", "profile-load", *arguments, "--trials", "1", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return told.returncode, json.loads(told.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces a limit of the address space")
def test_a_model_that_memory_runs_out_for_fails_alone(folder: Path, tmp_path: Path) -> None:
    """1 GiB of cache in an address space of 1 GiB; the other model needs 32 MiB for the same context."""
    limited = tmp_path / "limited"
    limited.write_text(
        f"#!{sys.executable}\n"
        "import os, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "os.environ.update(OPENBLAS_NUM_THREADS='1', MALLOC_ARENA_MAX='1')\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n"
    )
    limited.chmod(0o755)
    models = [str(folder / "wide.gguf"), str(folder / "tiny.gguf")]
    code, result = program(*models, "-c", "65536", "-t", "1", "--cache", "warm", "--no-fit", "--python", str(limited))
    assert code == 6
    (failure,) = result["failures"]
    assert (failure["kind"], failure["labels"]["model"]) == ("out-of-memory", "wide")
    assert "insufficient memory" in failure["message"] or "failed to allocate" in failure["message"]
    assert "smaller context" in failure["remedy"]
    measured = {m["labels"]["model"] for m in result["metrics"] if m["name"] == "model_startup_time"}
    assert measured == {"tiny"}


def test_a_model_larger_than_the_memory_is_refused_and_the_others_are_measured(folder: Path, tmp_path: Path) -> None:
    """The file is sparse: it takes no space on the disk."""
    size = 2 * (main_memory().total_bytes or 0)
    header = gguf(tensors=[Tensor("huge", (size // 4,))], data=b"")
    huge = write(tmp_path, header, "huge.gguf")
    os.truncate(huge, len(header) + size)
    code, result = program(str(huge), str(folder / "tiny.gguf"), "--cache", "warm", "--no-fit")
    assert code == 2
    (failure,) = result["failures"]
    assert failure["labels"] == {"model": "huge"}
    assert "more than the whole memory here" in failure["message"]
    assert {m["labels"]["model"] for m in result["metrics"] if m["name"] == "model_startup_time"} == {"tiny"}


def test_a_context_that_no_memory_holds_is_one_line_with_a_remedy(folder: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "synapse_perf", "profile-load", str(folder / "tiny.gguf"), "-c", str(2 * 10**9)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (told.returncode, told.stdout) == (2, "")
    assert len(told.stderr.splitlines()) == 2
    assert "the KV cache of a context of 2000000000 takes 954 GiB alone" in told.stderr
    assert "choose a context of" in told.stderr
