"""leak-hunt where memory runs short, where psutil is old or missing, and where the user has enough of it."""

from __future__ import annotations

import os
import signal
import sysconfig
import venv
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.program import Told, run, saved_runs, started

FOLDER = Path(__file__).parents[1] / "commands"
LESS_DATA = ("bash", "-c", 'ulimit -d 1500000; exec "$@"', "bash")  # KiB, of the run and all that it starts
# In the worker alone, whose script is launch.py: a machine with 1 GiB free, and 40 MiB less each time that it is asked.
SHRINKING = """
import sys
if sys.argv[0].endswith("launch.py"):
    import psutil
    real, asked = psutil.virtual_memory, []
    def shrinking():
        asked.append(1)
        return real()._replace(available=max(0, 1024 - 500 * len(asked)) * 1024**2)
    psutil.virtual_memory = shrinking
"""
# A psutil from before it told of the heap, in an environment that has nothing else.
OLD_PSUTIL = """
import sys
sys.path.append({packages!r})
import psutil
del psutil.heap_info, psutil.heap_trim
psutil.__version__ = "7.1.3"
"""


def hunt(function: str, *arguments: str, **options: Any) -> Told:
    limits = ("--calls", "1", "--max-time", "90s")
    return run("leak-hunt", f"leaky_code:{function}", *limits, *arguments, "--format", "json", cwd=FOLDER, **options)


def nothing_is_left() -> bool:
    """No process has the state directory of this test."""
    name = "SYNAPSE_PERF_STATE_DIR"
    every = psutil.process_iter(["environ"])
    return not any((one.info["environ"] or {}).get(name) == os.environ[name] for one in every if one.pid != os.getpid())


# --- memory ----------------------------------------------------------------------------------------------------------


def test_a_call_that_takes_all_memory_ends_at_the_limit() -> None:
    told = hunt("fills_memory", before=LESS_DATA)

    assert told.code == 6
    assert "of leaky_code:fills_memory: no memory left" in told.errors[-1].splitlines()[0]
    assert "give it less to do" in told.errors[-1]
    assert nothing_is_left()


def test_a_machine_that_runs_short_between_calls_is_spared(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHRINKING)
    told = hunt("waits", env={"PYTHONPATH": str(tmp_path)})

    assert told.code == 6
    assert "ended before the machine suffers" in told.errors[-1].splitlines()[0]
    assert [run["benchmark"] for run in saved_runs()] == ["leak-hunt"]


# --- the user's environment ------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """One without any package."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder


def test_an_environment_without_psutil_is_told_what_it_lacks(environment: Path) -> None:
    told = hunt("works", "--python", str(environment / "bin" / "python"), env={"PYTHONPATH": None})

    assert told.code == 2
    assert "cannot import psutil" in told.errors[-1].splitlines()[0]
    assert "install it there" in told.errors[-1]


def test_with_an_old_psutil_pages_are_judged_and_the_heap_is_named_as_untold(environment: Path) -> None:
    (packages,) = environment.glob("lib/python3.*/site-packages")
    (packages / "sitecustomize.py").write_text(OLD_PSUTIL.format(packages=sysconfig.get_path("purelib")))
    around = ("--setup", "leaky_code:make_list", "--arg", "text", "--arg", "times=25000")
    told = hunt("appends", *around, "--python", str(environment / "bin" / "python"), env={"PYTHONPATH": None})
    leaking = {leak["metric"].rpartition("=")[2] for leak in told.result["leaks"] if leak["status"] == "leak"}

    assert (told.code, leaking) == (1, {"anonymous}"}), told.err
    assert "psutil 7.1.3" in told.result["plan"]["untold"]["heap"]


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


def test_ctrl_c_in_the_middle_ends_with_130_and_keeps_what_there_is(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    arguments = ("leak-hunt", "leaky_code:counts_in", "--arg", str(calls), "--calls", "1")
    with started(*arguments, env={"PYTHONPATH": str(FOLDER)}) as running:
        running.wait_for(lambda: calls.exists() and calls.stat().st_size >= 5)
        running.send(signal.SIGINT)
        told = running.end()

    assert told.code == 130
    assert [run["plan"]["stopped"] for run in saved_runs()] == ["interrupted"]
    assert nothing_is_left()
