"""Is the program there at once? Its --help against that of a Typer program that does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.clock import now_ns, seconds_between
from tests.bench.pairs import paired_ratio

HELLO = Path(__file__).with_name("hello.py")
AT_MOST = 1.5


def seconds_of(*command: str) -> float:
    started_ns = now_ns()
    subprocess.run([sys.executable, *command], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return seconds_between(started_ns, now_ns())


def test_help_costs_little_more_than_hello_world(benchmark: BenchmarkFixture) -> None:
    def compare() -> None:
        ratio = paired_ratio(
            lambda: seconds_of("-m", "synapse_perf", "--help"), lambda: seconds_of(str(HELLO), "--help")
        )
        sys.stdout.write(f"\n--help against a Typer hello-world: {ratio}\n")
        benchmark.extra_info |= {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs}
        assert ratio.high <= AT_MOST, str(ratio)

    benchmark.pedantic(compare, rounds=1, iterations=1)
