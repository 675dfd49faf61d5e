"""What the tool's own work costs between trials: reading a header, a log, and deciding."""

from __future__ import annotations

from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.analyze.decision import decide
from synapse_perf.gguf_files.embedded import embedded_models
from synapse_perf.gguf_files.header import read_header
from synapse_perf.host.counters import snapshot
from synapse_perf.llama.load_log import read_load, read_text
from synapse_perf.llama.load_phases import find_phases

LOG = Path(__file__).parents[1] / "llama" / "logs" / "cpu-2026.log"


def test_read_the_header_of_a_model(benchmark: BenchmarkFixture) -> None:
    path = embedded_models()["deep"]

    assert benchmark(read_header, path).n_vocab == 131072


def test_read_a_load_log(benchmark: BenchmarkFixture) -> None:
    text = LOG.read_text()

    def read() -> object:
        lines = read_text(text)
        return read_load(lines), find_phases(lines)

    benchmark(read)


def test_decide_a_target(benchmark: BenchmarkFixture) -> None:
    groups = [[1.0 + 0.01 * number] for number in range(6)]

    assert benchmark(decide, groups, "median", 15.0, "lower").status == "pass"


def test_snapshot_of_the_counters(benchmark: BenchmarkFixture) -> None:
    benchmark(snapshot)
