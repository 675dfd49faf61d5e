"""Ctrl-C and a request to end, in each stage of a run: what was finished is saved, and nothing else is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.faults.program import (
    COMMAND,
    PATIENCE_S,
    QUICK,
    Running,
    Told,
    environment,
    loads,
    run,
    saved_runs,
    started,
    state,
    unfinished,
)

Model = Callable[[str], Path]
MANY = ("-r", "9", "--cache", "warm", "--no-fit")
WAYS = {
    "Ctrl-C": (signal.SIGINT, True),  # a terminal sends it to the whole group
    "SIGINT": (signal.SIGINT, False),
    "SIGTERM": (signal.SIGTERM, False),
}


def send(running: Running, way: str) -> Told:
    number, to_group = WAYS[way]
    running.send(number, to_group=to_group)
    return running.end()


def starts_of(saved: dict[str, object]) -> int:
    metrics = saved["metrics"]
    assert isinstance(metrics, list)
    return sum(m["summary"]["count"] for m in metrics if m["name"] == "model_startup_time")


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM"])
def test_while_the_samples_are_made(tmp_path: Path, way: str) -> None:
    cache = tmp_path / "cache"
    env = {"SYNAPSE_PERF_CACHE_DIR": str(cache)}
    with started("profile-load", "--profile", "embedded", env=env) as running:
        running.wait_for(lambda: list(cache.rglob("*.partial")))
        told = send(running, way)

    assert (told.code, told.out, told.err) == (130, "", "error: interrupted\n")
    assert unfinished(cache, state()) == []
    assert saved_runs() == []


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM"])
def test_during_the_first_start(model: Model, tmp_path: Path, way: str) -> None:
    hanging = model("hang-x")
    with started("profile-load", hanging, *MANY, "-o", tmp_path / "r.md") as running:
        running.wait_for(lambda: loads(hanging) == 1)
        told = send(running, way)

    assert told.code == 130
    assert "interrupted: the report has what was finished" in told.err
    (saved,) = saved_runs()
    assert starts_of(saved) == 0
    assert saved["plan"]["stopped"] == "interrupted"
    assert (tmp_path / "r.md").read_text()
    assert unfinished(state(), tmp_path) == []


@pytest.mark.parametrize("way", WAYS)
def test_in_the_middle(model: Model, tmp_path: Path, way: str) -> None:
    """Two starts are finished, the third goes on."""
    hanging = model("hang-3-x")
    with started("profile-load", hanging, *MANY, "-o", tmp_path / "r.json") as running:
        running.wait_for(lambda: loads(hanging) == 3)
        told = send(running, way)

    assert told.code == 130
    assert "Start to first token" in told.out
    (saved,) = saved_runs()
    assert starts_of(saved) == 2
    assert (tmp_path / "r.json").exists()
    assert unfinished(state(), tmp_path) == []


@pytest.mark.parametrize(
    "module",
    [
        "synapse_perf.benchmarks.memory_fit",  # what fits into memory
        "synapse_perf.commands.load_explain",  # what the starts say
        "synapse_perf.analyze.compare",  # saving
        "synapse_perf.report.console",  # the report
    ],
)
def test_after_the_last_start(good: Path, tmp_path: Path, module: str) -> None:
    """All is measured: the first interrupt only ends what goes on."""
    told = run(
        *("profile-load", good, "-r", "1", "--cache", "warm", "-o", tmp_path / "r.json"),
        "--fit" if module.endswith("fit") else "--no-fit",
        env={"STAND_IN_INTERRUPTS": module},
    )

    assert told.code == 130
    assert "Start to first token" in told.out
    assert told.err.endswith("interrupted: the report has what was finished\n")
    assert starts_of(saved_runs()[0]) == 1
    assert (tmp_path / "r.json").exists()


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGINT"])
def test_while_a_flame_graph_is_recorded(model: Model, tmp_path: Path, way: str) -> None:
    """The second load is the one that is watched, by a process of its own."""
    hanging = model("hang-2-x")
    with started("profile-load", hanging, *QUICK, "--flamegraph", tmp_path / "f.svg") as running:
        running.wait_for(lambda: loads(hanging) == 2)
        told = send(running, way)

    assert told.code == 130
    assert starts_of(saved_runs()[0]) == 1
    assert not (tmp_path / "f.svg").exists()
    assert unfinished(state(), tmp_path) == []


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM"])
def test_while_a_report_is_written(good: Path, tmp_path: Path, way: str) -> None:
    """The report goes into a pipe that nobody reads, so that writing it never ends; the run is saved before."""
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    with started("profile-load", good, *QUICK, "-o", pipe) as running:
        assert running.process.stderr is not None
        assert any(line.startswith(b"saved as ") for line in running.process.stderr)
        told = send(running, way)

    assert told.code == 130
    assert told.errors == ["interrupted"]
    assert starts_of(saved_runs()[0]) == 1
    assert "Start to first token" in told.out
    assert unfinished(state(), tmp_path) == []


def test_impatience_while_a_worker_will_not_end(model: Model) -> None:
    """A stopped worker cannot end by itself; a second Ctrl-C does not wait for it, and shows no traceback."""
    stopped = model("stop-2-x")
    with started("profile-load", stopped, *MANY) as running:
        running.wait_for(lambda: loads(stopped) == 2 and running.has_stopped())
        running.send(signal.SIGINT, to_group=True)
        _wait_a_little(running.process, 0.5)  # it now waits for its worker, for longer
        running.send(signal.SIGINT, to_group=True)
        told = running.end()

    assert told.code == 130
    assert unfinished(state()) == []


def test_many_interrupts_show_no_traceback(model: Model) -> None:
    hanging = model("hang-2-x")
    with started("profile-load", hanging, *MANY) as running:
        running.wait_for(lambda: loads(hanging) == 2)
        while running.process.poll() is None:
            running.send(signal.SIGINT, to_group=True)
            _wait_a_little(running.process, 0.03)
        told = running.end()

    assert told.code == 130
    assert unfinished(state()) == []


def _wait_a_little(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def test_an_interrupt_while_the_program_is_imported_shows_no_traceback() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "synapse_perf", "doctor"],
        env=environment({"STAND_IN_INTERRUPTS": "typer"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert (told.returncode, told.stdout, told.stderr) == (130, "", "error: interrupted\n")


def test_a_terminal_is_as_it_was_after_ctrl_c(model: Model) -> None:
    hanging = model("hang-2-x")
    terminal = pexpect.spawn(
        COMMAND,
        ["profile-load", str(hanging), *MANY],
        env={**environment(), "TERM": "xterm"},
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    try:
        shown = ""
        while loads(hanging) < 2:
            terminal.expect(".+")
            shown += str(terminal.after)
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        shown += str(terminal.before)
        terminal.close()
    finally:
        terminal.close(force=True)

    assert terminal.exitstatus == 130
    assert "Traceback" not in shown
    assert re.findall(r"\x1b\[\?25[lh]", shown)[-1] == "\x1b[?25h"  # the cursor is visible again
    assert "interrupted: reporting what is finished; once more to leave at once" in shown
    assert starts_of(saved_runs()[0]) == 1


def test_what_nohup_ignores_stays_ignored(model: Model) -> None:
    hanging = model("hang-1-x")
    with started("profile-load", hanging, *QUICK, before=["nohup"]) as running:
        running.wait_for(lambda: loads(hanging) == 1)
        running.send(signal.SIGHUP)
        running.send(signal.SIGTERM)
        told: Told = running.end()

    assert told.code == 130
    assert len(saved_runs()) == 1
