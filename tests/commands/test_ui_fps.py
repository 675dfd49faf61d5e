"""ui-fps from the command line, in real browsers: what is told, with which exit code, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from synapse_perf import cli
from synapse_perf.outside import browser
from synapse_perf.outside.browser import FOLDER
from tests.outside.pages import LEAKING, blocked, needs_browser, served, temporary

ENDED_WITHIN_S = 60.0
__all__ = ["temporary"]  # a fixture


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "synapse_perf", "ui-fps", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=600, check=False)


@needs_browser
def test_a_page_is_measured_and_its_leak_ends_with_1(tmp_path: Path, temporary: Path) -> None:
    scenario = tmp_path / "scenario.py"
    scenario.write_text("async def run(page):\n    await page.click('#leak')\n")
    output, html = tmp_path / "r.json", tmp_path / "r.md"
    with served({"/": LEAKING}) as url:
        options = ("--trials", "1", "--seconds", "1", "--max-time", "16s", "--leak", "4", "--seed", "0")
        told = run(f"{url}/", *options, "--scenario", str(scenario), "-o", str(output), "-o", str(html))

    result: dict[str, Any] = json.loads(output.read_text())
    statuses = {one["metric"]: one["status"] for one in result["leaks"]}
    assert result["workload"]["url"] == f"{url}/"
    assert statuses in ({}, {"dom_node_growth": "leak", "listener_growth": "leak"})  # none, where time was too short
    is_unfit = any(one["status"] == "not-comparable" for one in result["checks"])  # its control page stalls too
    assert told.returncode == (4 if is_unfit else 1 if statuses else 3), told.stderr
    assert list(temporary.glob(f"{FOLDER}*")) == []


def started_browser(worker_of: int) -> psutil.Process | None:
    children = psutil.Process(worker_of).children(recursive=True)
    return next((one for one in children if _is_browser(one)), None)


def _is_browser(process: psutil.Process) -> bool:
    try:
        name, words = process.name(), process.cmdline()
    except psutil.Error:  # it has ended meanwhile, as the shell that finds the browser does
        return False
    return "chrom" in name and not any(word.startswith("--type=") for word in words)


def _is_alive(process: psutil.Process) -> bool:
    """And no zombie, which an orphan stays until somebody reaps it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@contextmanager
def running(*options: str, is_open: bool = True) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """The program with its browser, which has the page open already or is about to start."""
    asked: list[str] = []
    with served({"/": blocked(0)}, asked) as url:
        arguments = command(f"{url}/", "--trials", "1", "--seconds", "60", "--max-time", "1s", *options)
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as program:
            deadline = time.monotonic() + 100
            started = None
            while time.monotonic() < deadline and not (started and (not is_open or asked.count("/") > 1)):
                started = started_browser(program.pid)
                time.sleep(0.05)
            assert started is not None
            try:
                yield program, started
            finally:
                program.kill()


@needs_browser
@pytest.mark.parametrize(
    ("number", "is_open"), [(signal.SIGINT, True), (signal.SIGKILL, True), (signal.SIGKILL, False)]
)
def test_no_browser_and_no_profile_stay_behind(number: signal.Signals, is_open: bool, temporary: Path) -> None:
    with running(is_open=is_open) as (program, _):
        below = psutil.Process(program.pid).children(recursive=True)
        os.kill(program.pid, number)

        deadline = time.monotonic() + ENDED_WITHIN_S
        while (alive := list(filter(_is_alive, below))) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert alive == []
        assert program.wait(ENDED_WITHIN_S) == (130 if number == signal.SIGINT else -number)
    deadline = time.monotonic() + ENDED_WITHIN_S
    while (left := list(temporary.glob(f"{FOLDER}*"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


@needs_browser
def test_a_browser_that_dies_is_a_failure_of_its_own(tmp_path: Path, temporary: Path) -> None:
    output = tmp_path / "r.json"
    with running("-o", str(output)) as (program, started):
        started.kill()
        _, errors = program.communicate(timeout=100)

    assert program.returncode == 6
    assert "the browser ended" in errors or "the page crashed" in errors
    assert json.loads(output.read_text())["failures"][0]["kind"] == "crash"
    assert list(temporary.glob(f"{FOLDER}*")) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "ui-fps: no URL is given; give the page's address"),
        (("ftp://127.0.0.1/",), "not the address of a page"),
        (("nothing.html",), "there is no such file"),
        (("http://127.0.0.1:9/",), "http://127.0.0.1:9/: nothing listens there; start the server of the page"),
        (("http://127.0.0.1:9/", "--chromium", "/no/chromium"), "there is no browser /no/chromium; give the full path"),
        (("http://127.0.0.1:9/", "--scenario", "none.py"), "--scenario none.py: cannot be read: No such file"),
        (("http://127.0.0.1:9/", "--flamegraph", "f.svg"), "--flamegraph: the time goes by in the browser"),
        (("http://127.0.0.1:9/", "--python", "python3"), "--python: no Python of yours is measured here"),
        (("http://127.0.0.1:9/", "--leak", "5"), "--leak counts what stays of a scenario, and there is none"),
        (("http://no-such-host.invalid/",), "http://no-such-host.invalid/ cannot be reached"),
    ],
)
@needs_browser
def test_wrong_input_is_one_line_and_ends_with_2(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.run(["ui-fps", *arguments])

    shown = capsys.readouterr()
    assert (code, shown.out) == (2, "")
    assert told in shown.err.replace("\nhint:", ";")
    assert len(shown.err.strip().splitlines()) <= 2


@needs_browser
@pytest.mark.parametrize("status", [404, 500])
def test_an_address_that_has_no_page_is_told_before_measuring(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with served({"/": status}) as url:
        assert cli.run(["ui-fps", f"{url}/"]) == 2

    assert f"answers with status {status}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("no-chromium-here", "there is no browser no-chromium-here (from SYNAPSE_PERF_CHROMIUM)"),
        ("", "there is no Chromium here\nhint: install one"),
    ],
)
def test_without_a_browser_it_says_what_to_install(
    variable: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("SYNAPSE_PERF_CHROMIUM", variable)
    monkeypatch.setattr(browser, "MACOS_PLACES", ())

    assert cli.run(["ui-fps", "http://127.0.0.1:9/"]) == 2
    assert told in capsys.readouterr().err


def test_a_dry_run_opens_nothing(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ui-fps", "http://127.0.0.1:9/", "--dry-run", "--chromium", sys.executable]) == 0

    shown = " ".join(capsys.readouterr().out.split())
    assert "each process is a fresh browser" in shown
    assert "0 B" not in shown
    assert list(temporary.iterdir()) == []
