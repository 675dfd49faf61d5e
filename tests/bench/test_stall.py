"""Does an open loop show a stall that a closed loop hides? The same model, the same planted 300 ms."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.query_load import LoadLevel, levels_of
from synapse_perf.analyze.query_load_plan import ALL_SAMPLES
from synapse_perf.benchmarks.query_load import METRICS
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from synapse_perf.report.query_load import stall_sentence
from tests.benchmarks.chat_trials import asking, settings
from tests.benchmarks.stalling_load import STALL_S
from tests.llama.starts import make

QUERIES, PER_S, PROCESSES = 400, 60.0, 3
STEPS = ({"users": 1, "asking_s": 4.0, "patience_s": 20.0}, {"rate": PER_S, "count": QUERIES, "patience_s": 20.0})


def trial(model: Path, number: int, register: Register) -> Trial:
    """Both loops in one process; the model stalls once in each."""
    workload = {
        **{name: value for name, value in asking(max_tokens=2).items() if name not in ("count", "asking_s")},
        "tier": "fast",
        "settings": settings(model),
        "neighbours": [],
        "steps": list(STEPS),
        "limit_s": 2.0,
        "stalls_at": QUERIES // 2,
    }
    labels = {"tier": "fast", "prefix": "cold", "variant": "load"}
    spec = TrialSpec("tests.benchmarks.stalling_load", "load", labels, workload, samples=ALL_SAMPLES, timeout_s=120)
    done = run_trial(spec, number, register=register, observe=lambda event: None)
    assert done.failure is None, done.failure
    return done


def describe(level: LoadLevel) -> str:
    p50, p99, worst = (level.percentile(part) * 1e3 for part in (0.5, 0.99, 1.0))
    waited = max(level.numbers("waited_for_longest"))
    count = level.count("requests")
    figures = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {worst:.0f} ms"
    return f"{level.variant}: {count} queries, {figures}, {waited:.0f} waited for the longest"


def test_the_p99_of_an_open_loop_has_the_stall_and_that_of_a_closed_loop_does_not(
    benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    model, register = make(tmp_path), Register(tmp_path / "register")

    def compare() -> None:
        trials = [trial(model, number, register) for number in range(1, PROCESSES + 1)]
        closed, opened = levels_of(metrics_of(trials, METRICS))
        told = stall_sentence([closed, opened])
        sys.stdout.write(f"\n{describe(closed)}\n{describe(opened)}\n{told}\n")
        benchmark.extra_info |= {"closed_p99_s": closed.percentile(0.99), "open_p99_s": opened.percentile(0.99)}
        assert not opened.is_late, "this machine is too busy to send in time"
        assert opened.percentile(0.99) > STALL_S / 3 > closed.percentile(0.99)
        assert closed.percentile(1.0) >= STALL_S
        assert "users who wait ask nothing meanwhile" in told

    benchmark.pedantic(compare, rounds=1, iterations=1)
