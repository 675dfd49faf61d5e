"""Several who write to the same file under baselines/ at once lose nothing of each other."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from synapse_perf import baselines
from synapse_perf.baselines.noise import load_noise
from synapse_perf.baselines.waivers import load_waivers
from tests.made_results import made_result

WRITERS, EACH = 5, 4

# Writers that begin at the same moment, after everything is imported.
AT_ONCE = """
import os, sys
from pathlib import Path
from synapse_perf import baselines
from synapse_perf.baselines.noise import Calibration, keep_calibration
from synapse_perf.baselines.waivers import Waiver, waive
from synapse_perf.results import reading, writing
from tests.made_results import made_result

writers, each = int(sys.argv[1]), int(sys.argv[2])
reading.parse(writing.dumps(made_result()).encode(), "warm-up")
ready, go = os.pipe()
children = []
for writer in range(writers):
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        for turn in range(each):
            baselines.add("main", made_result(started_at=f"2026-01-{1 + writer:02}T{turn:02}:00:00Z"))
            waive(Waiver(f"m{writer}-{turn}", "meant", "2999-01-01"))
            keep_calibration(Calibration(f"h{writer}-{turn}", "2026-01-01T00:00:00Z", 5, {"a": 0.01}))
        os._exit(0)
    children.append(child)
os.close(go)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def test_writers_at_once_lose_nothing_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    baselines.save("main", made_result())
    root = str(Path(__file__).resolve().parents[2])
    subprocess.run(
        [sys.executable, "-c", AT_ONCE, str(WRITERS), str(EACH)], env={**os.environ, "PYTHONPATH": root}, check=True
    )
    assert len(baselines.results_of(baselines.load("main"))) == 1 + WRITERS * EACH
    assert len(load_waivers()) == WRITERS * EACH
    assert len(load_noise().calibrations) == WRITERS * EACH
    assert not any(waiver.is_expired(date(2998, 1, 1)) for waiver in load_waivers())
