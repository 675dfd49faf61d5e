"""No baseline is ever lost: whoever writes one may be killed before any line of the code that does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf import baselines
from synapse_perf.baselines.noise import Calibration, keep_calibration, load_noise
from synapse_perf.baselines.waivers import Waiver, load_waivers, save_waivers
from synapse_perf.errors import InputError
from tests.made_results import made_result

FIRST = Calibration("h", "2026-01-01T00:00:00Z", 5, {"a": 0.01})

# Forks once for each line that is run in the modules that write, and kills the child with -9 right before that line.
KILLED_AT_EVERY_LINE = """
import os, signal, sys
from pathlib import Path
from synapse_perf import baselines
from synapse_perf.baselines.noise import Calibration, keep_calibration
from synapse_perf.baselines.waivers import Waiver, save_waivers
from synapse_perf.results import reading as results, writing
from tests.made_results import made_result

def job():
    if sys.argv[1] == "save":
        baselines.save("main", made_result(started_at="2026-02-02T00:00:00Z"), force=True)
    elif sys.argv[1] == "new":
        baselines.save("other", made_result(started_at="2026-02-02T00:00:00Z"))
    elif sys.argv[1] == "add":
        baselines.add("main", made_result(started_at="2026-02-02T00:00:00Z"))
    elif sys.argv[1] == "calibrate":
        keep_calibration(Calibration("h", "2026-02-02T00:00:00Z", 5, {"a": 0.02}))
    else:
        save_waivers((Waiver("a", "second", "2999-01-01"),))

WRITERS = ("atomic_files.py", "files.py", "waivers.py", "noise.py", "directory.py")

def killed_before(line):
    left = line
    def trace(frame, event, _):
        nonlocal left
        if "synapse_perf" not in frame.f_code.co_filename or not frame.f_code.co_filename.endswith(WRITERS):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    child = os.fork()
    if child == 0:
        sys.settrace(trace)
        job()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status not in (0, signal.SIGKILL):
        sys.exit(1)
    return status != 0

results.parse(writing.dumps(made_result()).encode(), "warm-up")  # so that no child builds the schema anew
line = 0
while killed_before(line):
    print(line, flush=True)
    sys.stdin.readline()
    line += 1
"""


@pytest.mark.parametrize("job", ["save", "new", "add", "waive", "calibrate"])
def test_a_writer_killed_at_any_line_leaves_the_old_or_the_new_and_never_less(
    job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old = made_result(started_at="2026-01-01T00:00:00Z")
    new = made_result(started_at="2026-02-02T00:00:00Z")
    kills, seen = 0, set()
    root = str(Path(__file__).resolve().parents[2])
    baselines.save("main", old)
    keep_calibration(FIRST)
    save_waivers((Waiver("a", "first", "2999-01-01"),))
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_AT_EVERY_LINE, job],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for _ in writer.stdout:
            kills += 1
            starts = [run.started_at[:10] for run in baselines.results_of(baselines.load("main"))]
            assert starts in (["2026-01-01"], ["2026-02-02"], ["2026-02-02", "2026-01-01"])
            (waiver,) = load_waivers()
            other = Path("baselines/other.json")
            if other.exists():
                assert baselines.load("other") == new
            bias = load_noise().of("h")["a"]
            seen.add((*starts, waiver.reason, bias, other.exists()))
            baselines.save("main", old, force=True)
            keep_calibration(FIRST)
            save_waivers((Waiver("a", "first", "2999-01-01"),))
            for left in [other, *Path("baselines").glob(".*.tmp")]:
                left.unlink(missing_ok=True)
            writer.stdin.write("\n")
            writer.stdin.flush()
    assert writer.returncode == 0
    assert kills > 20
    assert len(seen) == 2, "neither before nor after the switch was anything killed"


def test_a_baseline_that_another_process_makes_at_this_moment_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    theirs = made_result(started_at="2026-01-01T00:00:00Z")
    text = baselines.save("main", theirs).read_text()
    monkeypatch.setattr(Path, "exists", lambda *_args, **_more: False)  # looked just before they wrote

    with pytest.raises(InputError, match="it exists already"):
        baselines.save("main", made_result(started_at="2026-02-02T00:00:00Z"))
    assert Path("baselines/main.json").read_text() == text
    assert [path.name for path in Path("baselines").iterdir()] == ["main.json"]
