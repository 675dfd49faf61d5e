"""What the probes of a leak hunt count, on real processes."""

from __future__ import annotations

import subprocess
import sys

from synapse_perf.host.leak_probes import own_probes

COUNT_ORPHANS = """
import os, signal, subprocess, time
from synapse_perf.host.leak_probes import orphans
print(len(orphans(os.getpid())))
child = subprocess.Popen(["sleep", "60"])
print(len(orphans(os.getpid())))
told = subprocess.run("sleep 60 </dev/null >/dev/null 2>&1 & echo $!", shell=True, check=True, capture_output=True)
print(len(orphans(os.getpid())))
os.kill(int(told.stdout), signal.SIGKILL)
while orphans(os.getpid()):
    time.sleep(0.01)
child.kill()
print(0)
"""


def test_a_process_whose_parent_has_ended_is_an_orphan_while_it_lives() -> None:
    told = subprocess.run(
        [sys.executable, "-c", COUNT_ORPHANS], start_new_session=True, capture_output=True, text=True, timeout=60
    )

    assert told.stdout.split() == ["0", "0", "1", "0"], told.stderr


def test_a_process_without_a_session_of_its_own_cannot_tell_orphans() -> None:
    code = "from synapse_perf.host.leak_probes import own_probes; print(*own_probes().untold)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert "orphaned_children" in told.stdout


def test_each_probe_has_a_name_of_its_own() -> None:
    names = [probe.name for probe in own_probes().probes]

    assert len(names) == len(set(names))
