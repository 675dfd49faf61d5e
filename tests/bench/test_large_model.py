"""A file of 5 GB, profiled cold and warm by the program itself: efficiency, the parent's memory, the whole time."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.clock import now_ns, seconds_between
from synapse_perf.gguf_files.shapes import find_shape
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.host.process_memory import memory_split
from synapse_perf.units import format_bytes, format_duration

PARENT_AT_MOST_BYTES = 300 * 2**20


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    path = synthesize(find_shape("qwen3-8b"), "q4_k_m", tmp_path / "qwen3-8b.gguf", seed=0)
    yield path
    path.unlink()


def run_program(model: Path, output: Path) -> tuple[float, int]:
    """Seconds of the whole command, and the highest memory of the parent process alone, in bytes.

    Asked from outside every 50 ms: what the kernel says of a process that has ended includes its children.
    """
    command = [sys.executable, "-m", "synapse_perf", "profile-load", str(model), "-o", str(output), "--quiet"]
    peak = 0
    started_ns = now_ns()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as program:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                assert program.wait(0.05) == 0
                break
            memory = memory_split(program.pid)
            peak = max(peak, memory.peak_rss or memory.rss or 0)
    return seconds_between(started_ns, now_ns()), peak


def median_of(result: dict[str, Any], cache: str, phase: str | None) -> float:
    for metric in result["metrics"]:
        labels = metric["labels"]
        wanted = "phase_time" if phase else "model_startup_time"
        if metric["name"] == wanted and labels["cache"] == cache and labels.get("phase") == phase:
            return float(statistics.median(value for trial in metric["trials"] for value in trial["samples"]))
    raise AssertionError(f"no {cache} {phase}")


def test_a_large_model_is_profiled_near_the_floor_with_a_small_parent(
    benchmark: BenchmarkFixture, model: Path, tmp_path: Path
) -> None:
    figures: dict[str, float] = {}

    def profile() -> None:
        seconds, peak = run_program(model, tmp_path / "r.json")
        figures.update(command_s=seconds, parent_peak_bytes=peak)

    benchmark.pedantic(profile, rounds=1, iterations=1)

    result = json.loads((tmp_path / "r.json").read_text())
    lines = [f"{format_bytes(model.stat().st_size)}: the whole command {format_duration(figures['command_s'])}"]
    lines.append(f"peak memory of the parent {format_bytes(figures['parent_peak_bytes'])}")
    for cache in ("cold", "warm"):
        start, tensors, floor = (median_of(result, cache, phase) for phase in (None, "tensors", "floor"))
        figures |= {f"{cache}_start_s": start, f"{cache}_floor_s": floor, f"{cache}_efficiency": floor / tensors}
        lines.append(
            f"{cache}: start {format_duration(start)}, tensors {format_duration(tensors)}, "
            f"floor {format_duration(floor)}, efficiency {floor / tensors:.2f}"
        )
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    benchmark.extra_info |= figures
    assert figures["parent_peak_bytes"] <= PARENT_AT_MOST_BYTES
