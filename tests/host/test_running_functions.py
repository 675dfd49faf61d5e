"""Which functions ran is told of a real process, which goes on; where it cannot be told, one line says why."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from synapse_perf.host.profiler_access import profiler_access
from synapse_perf.host.running_functions import FunctionRecorder, Running, counted

BUSY = """
import ctypes, json, sys
if sys.platform == "linux":  # it agrees to be looked at, where only a parent might
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)
def parse():
    return json.loads("[" + "1," * 20000 + "1]")
def serve():
    while True:
        parse()
print(flush=True)
serve()
"""


def recorded(pid: int, seconds: float = 1.0) -> Running:
    recorder = FunctionRecorder(pid)
    if recorder.begin():
        time.sleep(seconds)
    return recorder.stop()


def test_a_running_function_is_named_and_the_process_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            seen = recorded(process.pid)
            if profiler_access().state != "ok":
                assert seen.problem
                return
            assert psutil.Process(process.pid).status() in (psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING)
        finally:
            process.kill()

    assert seen.problem == ""
    assert sum(seen.counts.values()) == seen.samples > 0
    assert next(iter(seen.counts)).startswith("parse (busy.py:")


def test_what_is_no_python_is_told_so() -> None:
    with subprocess.Popen(["sleep", "30"]) as process:
        try:
            seen = recorded(process.pid)
        finally:
            process.kill()

    assert seen == Running({}, 0, "it is no Python that py-spy knows")


def test_who_may_not_look_is_told_what_would_help() -> None:
    """Told by another user, where these tests run as root."""
    other = os.getpid() if os.geteuid() == 0 else 1
    become = "os.setgroups([]); os.setgid(65534); os.setuid(65534)" if os.geteuid() == 0 else ""
    code = (
        "import os\n"
        "from synapse_perf.host.running_functions import FunctionRecorder\n"
        f"{become}\n"
        f"recorder = FunctionRecorder({other})\n"
        "print(recorder.begin(), recorder.stop().problem)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told.startswith("False py-spy may not look inside: ")
    assert told.count("\n") == 1


def test_without_py_spy_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_perf.host.running_functions.binary", lambda: None)

    assert recorded(os.getpid(), 0.0) == Running({}, 0, "py-spy is not installed: pip install py-spy")


def test_stacks_count_for_the_programs_own_innermost_function() -> None:
    library = "/usr/lib/python3.11/json/decoder.py"
    stacks = [
        f"<module> (/srv/app.py:90);handle (/srv/app.py:41);loads ({library}:337) 7",
        "<module> (/srv/app.py:90);handle (/srv/app.py:42) 5",
        "<module> (/srv/app.py:90);run (/opt/venv/lib/python3.11/site-packages/uvicorn/main.py:5) 3",
        "<module> (/srv/app.py:91) 2",
        "process 12 1",
        "<module> (/srv/app.py:90);BaseSelector.select (/usr/lib/python3.11/selectors.py:468) 900",
        "",
    ]

    assert counted(stacks) == {
        "handle (app.py:41)": 12,
        "libraries alone, such as an event loop": 3,
        "<module> (app.py:91)": 2,
    }
