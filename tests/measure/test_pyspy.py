"""A recording by py-spy says what the worker did, and never leaves it stopped."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from synapse_perf.gguf_files.embedded import EMBEDDED_SHAPES
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure import pyspy
from synapse_perf.measure.pyspy import PySpy
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from tests.llama.starts import make
from tests.measure.py_spy import REFUSAL, needed, refusing

HAS_NATIVE_FRAMES = (platform.system(), platform.machine()) == ("Linux", "x86_64")
ECHO = """
import ctypes, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER_ANY
for line in sys.stdin:
    print(line, end="", flush=True)
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process that says again what it is told."""
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        answer(process)
        yield process
        process.kill()


def answer(child: subprocess.Popen[str]) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("there?\n")
    child.stdin.flush()
    return child.stdout.readline()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[PySpy, Trial]:
    """The start of a model whose vocabulary takes long enough to be seen at work."""
    needed()
    folder = tmp_path_factory.mktemp("recorded")
    model = make(folder, EMBEDDED_SHAPES["fast"])
    settings = LoadSettings(str(model), n_ctx=256, n_threads=1).as_workload()
    register = Register(folder / "register")
    recorder = PySpy()
    spec = TrialSpec("profile_load", "mmap", {"model": "fast"}, {"settings": settings}, timeout_s=100)
    trial = run_trial(spec, 1, register=register, observe=lambda event: None, attach=recorder.attach)
    register.end_all()
    return recorder, trial


def test_a_watched_worker_ends_as_any_other(recorded: tuple[PySpy, Trial]) -> None:
    recorder, trial = recorded

    assert recorder.problem is None
    assert trial.failure is None
    assert len(trial.samples) == 1


def test_every_line_is_a_stack_with_its_samples(recorded: tuple[PySpy, Trial]) -> None:
    for line in recorded[0].stacks:
        frames, _, count = line.rpartition(" ")
        assert frames
        assert int(count) > 0


def test_the_load_is_seen_down_to_llama_cpp(recorded: tuple[PySpy, Trial]) -> None:
    inner = "llama_model_load_from_file" if HAS_NATIVE_FRAMES else "load_model"

    assert any(inner in line for line in recorded[0].stacks)


def test_the_import_that_comes_first_waits_to_be_watched(recorded: tuple[PySpy, Trial]) -> None:
    assert any("low_level_api" in line for line in recorded[0].stacks)


def test_the_thread_that_only_waits_for_the_parent_is_left_out(recorded: tuple[PySpy, Trial]) -> None:
    assert not any("_hold_lifeline" in line for line in recorded[0].stacks)


def test_a_process_goes_on_when_its_recording_is_broken_off(child: subprocess.Popen[str]) -> None:
    needed()
    recorder = PySpy()

    with pytest.raises(KeyboardInterrupt), recorder.attach(child.pid):
        assert recorder.problem is None
        raise KeyboardInterrupt

    assert psutil.Process(child.pid).status() not in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    assert answer(child) == "there?\n"


def test_a_refusal_is_known_before_the_worker_is_let_go(
    child: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyspy, "find_executable", lambda: refusing(tmp_path))
    recorder = PySpy()

    with recorder.attach(child.pid):
        assert recorder.problem == REFUSAL

    assert recorder.stacks == ()
    assert answer(child) == "there?\n"


def test_a_py_spy_that_is_not_installed_is_a_problem_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyspy, "find_executable", lambda: None)
    recorder = PySpy()

    with recorder.attach(1):
        assert recorder.problem == "py-spy is not installed"


def test_a_py_spy_that_cannot_be_started_is_a_problem_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyspy, "find_executable", lambda: str(tmp_path))
    recorder = PySpy()

    with recorder.attach(1):
        assert recorder.problem == f"{tmp_path}: Permission denied"


def test_functions_without_a_symbol_are_called_by_their_library() -> None:
    """Their addresses differ from one process to the next."""
    line = "0x7f01 (libc.so.6);main;0x7f02 (libllama.so);0x7f03 (libllama.so) 4"

    assert pyspy._readable(line) == "[libc.so.6];main;[libllama.so] 4"
