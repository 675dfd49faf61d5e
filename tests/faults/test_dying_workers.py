"""A llama.cpp that aborts, is killed, hangs or stops: a failure with its cause, and the other models are measured."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from synapse_perf.units import format_duration
from tests.faults.program import PROJECT, QUICK, Told, loads, profile, run, started, state, unfinished

Model = Callable[[str], Path]
DEATHS = {
    "abort": "the worker died of SIGABRT in the stage: loading the model: the stand-in says why",
    "segfault": "the worker died of SIGSEGV in the stage: loading the model",
    "kill": "something killed the worker (SIGKILL) in the stage: loading the model",
    "exit": "the worker ended with status 3 in the stage: loading the model: it wrote nothing",
}


@pytest.fixture(scope="module")
def among_the_dying(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("dying")
    models = [folder / f"{how}.gguf" for how in DEATHS]
    for model in models:
        model.hardlink_to(original)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNAPSE_PERF_STATE_DIR", str(folder / "state"))
        yield profile(*models, original)


def test_a_good_model_beside_dying_ones_is_measured_and_the_code_is_6(among_the_dying: Told) -> None:
    assert among_the_dying.code == 6
    assert among_the_dying.measured == {"good"}


@pytest.mark.parametrize("how", DEATHS)
def test_a_death_is_one_line_with_how_and_where(among_the_dying: Told, how: str) -> None:
    (error,) = [error for error in among_the_dying.errors if error.startswith(f"{how}, warm, mmap: ")]

    cause, remedy = error.split("\n")
    assert DEATHS[how] in cause
    assert remedy.startswith("hint: ")


def test_a_worker_killed_from_outside_is_a_failure(model: Model, good: Path) -> None:
    hanging = model("hang-x")
    with started("profile-load", hanging, good, *QUICK, "--format", "json", "--seed", "1") as running:
        for times in (1, 2):  # the second time in the same way, it is given up
            running.wait_for(lambda: loads(hanging) == times)  # noqa: B023 (called at once)
            for child in running.children:
                child.send_signal(signal.SIGKILL)
        told = running.end()

    assert (told.code, told.measured) == (6, {"good"})
    assert "something killed the worker (SIGKILL) in the stage: loading the model" in told.err


IMPATIENT = """
import sys
from synapse_perf.analyze import load_plan
load_plan.LEAST_PATIENCE_S, load_plan.SLOWEST_BYTES_PER_S = float(sys.argv.pop(1)), 1e12
from synapse_perf.__main__ import main
del sys.argv[0]
main()
"""


def patience_for_a_start() -> int:
    """Many times what most of a start takes here now: little, but on a crowded machine as much as a good one needs."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import llama_cpp.llama_cpp"], check=True)
    return min(40, max(3, math.ceil(8 * (time.perf_counter() - began))))


def test_a_llama_cpp_that_hangs_is_ended_after_a_stated_time_and_tried_once(model: Model, good: Path) -> None:
    """The same program with less patience than it has for people."""
    hanging = model("hang-x")
    patience_s = patience_for_a_start()
    before = [sys.executable, "-c", IMPATIENT, str(patience_s)]

    told = run(
        *("profile-load", hanging, good, "-r", "2", "--no-fit"),
        *("--max-time", f"{4 * patience_s}s", "--load-mode", "mmap,read"),
        *("--format", "json"),
        before=before,
    )

    assert (told.code, told.measured) == (6, {"good"})
    assert f"no end after {format_duration(patience_s)}, in the stage: loading the model" in told.err
    assert loads(hanging) == 1
    assert told.result["plan"]["timeout_s"] == pytest.approx(patience_s, abs=0.001)
    assert "given up after failures: " in told.result["plan"]["stopped"]
    assert unfinished(state()) == []


def test_a_dry_run_says_when_a_start_counts_as_hanging(good: Path) -> None:
    told = run("profile-load", good, "--dry-run", "--max-time", "8m")

    assert "a start that takes longer than 2 min is ended, and has failed" in " ".join(told.out.split())


@pytest.mark.parametrize("python", ["/nowhere/python3", __file__, "/etc", "no-such-python"])
def test_an_interpreter_that_cannot_be_run_is_told_before_measuring(good: Path, python: str) -> None:
    told = profile(good, "--python", python)

    assert (told.code, told.out) == (2, "")
    assert told.errors == [
        f"--python {python}: no program that can be run\nhint: give the path of a Python interpreter"
    ]


def test_a_program_that_is_no_interpreter_fails_with_the_remedy(good: Path) -> None:
    told = profile(good, "--python", "true")

    assert told.code == 6
    assert "ended with status 0 in the stage: start of the worker: it wrote nothing\nhint: give a Python" in told.err


def test_a_stopped_worker_of_a_killed_run_is_swept_at_the_next_start(model: Model, good: Path) -> None:
    stopped = model("stop-x")
    with started("profile-load", stopped, *QUICK) as running:
        running.wait_for(lambda: loads(stopped) == 1 and running.has_stopped())
        (worker,) = running.children
        running.send(signal.SIGKILL)
        running.process.wait()
        was_left = worker.is_running()

        told = profile(good, cwd=PROJECT)
        _, alive = psutil.wait_procs([worker], timeout=30)

    assert was_left  # it could not see that its parent had gone
    assert (told.code, alive) == (0, [])
    assert unfinished(state()) == []


def test_a_hanging_worker_does_not_outlive_a_parent_killed_with_9(model: Model) -> None:
    hanging = model("hang-x")
    with started("profile-load", hanging, *QUICK) as running:
        running.wait_for(lambda: loads(hanging) == 1)
        running.send(signal.SIGKILL)

        told = running.end()

    assert told.code == -signal.SIGKILL
