"""A small repository of a user, whose benchmark writes a time that its code says."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Writes what hyperfine would: the time in `time`, which is the code; `noise` numbers its own runs.
BENCHMARK = """\
printf '{"results": [{"command": "work", "times": [%s]}]}' "$(cat time)000$$" > "$SYNAPSE_PERF_OUTPUT"
"""
COMMAND = "sh bench.sh"


def git(repository: Path, *words: str) -> str:
    command = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def made_repository(place: Path, time: str = "0.1", benchmark: str = BENCHMARK) -> Path:
    """One commit with a benchmark that takes `time` seconds, or says so."""
    place.mkdir(parents=True, exist_ok=True)
    git(place, "init", "-q", "-b", "main")
    (place / "bench.sh").write_text(benchmark)
    (place / "time").write_text(time)
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "first")
    return place
