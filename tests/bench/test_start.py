"""Are the figures of profile-load those of a bare script, and does it know where the time went?"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.clock import now_ns, seconds_between
from synapse_perf.gguf_files.shapes import find_shape
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.host import page_cache
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import CacheState, Trial, TrialSpec
from tests.bench.pairs import paired_ratio

BARE = Path(__file__).with_name("bare_load.py")
CONTEXT = 4096


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shape of a real small model: 0.4 GB, a vocabulary of 152k tokens."""
    path = tmp_path_factory.mktemp("models") / "qwen3-0.6b.gguf"
    return synthesize(find_shape("qwen3-0.6b"), "q4_k_m", path, seed=0)


def trial_of(model: Path, cache: CacheState, register: Register) -> Trial:
    settings = LoadSettings(str(model), n_ctx=CONTEXT)
    spec = TrialSpec(
        "profile_load",
        "mmap",
        {"model": "bench", "cache": cache},
        {"settings": settings.as_workload()},
        page_cache=cache,
        files=(str(model),),
    )
    trial = run_trial(spec, 1, register=register, observe=lambda event: None)
    assert trial.failure is None
    return trial


def measured_s(trial: Trial) -> float:
    return next(value.value for value in trial.samples[0].values if value.metric == "model_startup_time")


def bare_s(model: Path, cache: CacheState) -> float:
    """Seconds from the spawn to the first token of the bare script, prepared in the same way."""
    assert page_cache.prepare([str(model)], cache).proven
    spawned_ns = now_ns()
    command = [sys.executable, str(BARE), str(model), str(CONTEXT), str(LoadSettings("").threads)]
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    return seconds_between(spawned_ns, int(told))


def once(benchmark: BenchmarkFixture, action: Callable[[], object]) -> None:
    """pytest-benchmark's bookkeeping around something that repeats itself."""
    benchmark.pedantic(action, rounds=1, iterations=1)


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_a_start_takes_as_long_as_in_a_bare_script(
    benchmark: BenchmarkFixture, model: Path, tmp_path: Path, cache: CacheState
) -> None:
    register = Register(tmp_path)

    def compare() -> None:
        ratio = paired_ratio(
            lambda: measured_s(trial_of(model, cache, register)), lambda: bare_s(model, cache), most=150
        )
        sys.stdout.write(f"\n{cache} start against a bare script: {ratio}\n")
        benchmark.extra_info |= {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs}
        assert ratio.is_known_well, f"this machine is too noisy to tell: {ratio}"
        assert ratio.low <= 1.0 <= ratio.high, str(ratio)

    once(benchmark, compare)


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_phases_and_residual_are_the_wall_time_and_the_residual_is_small(
    benchmark: BenchmarkFixture, model: Path, tmp_path: Path, cache: CacheState
) -> None:
    register = Register(tmp_path)
    shares: list[float] = []

    def look() -> None:
        for _ in range(12):
            trial = trial_of(model, cache, register)
            phases = {
                value.labels["phase"]: value.value
                for value in trial.samples[0].values
                if value.metric == "phase_time" and "." not in value.labels["phase"]
            }
            assert sum(phases.values()) == pytest.approx(measured_s(trial))
            shares.append(phases["residual"] / measured_s(trial))

    once(benchmark, look)

    share = statistics.median(shares)
    sys.stdout.write(f"\n{cache}: residual {share:.2%} of the start (median of {len(shares)}, max {max(shares):.2%})\n")
    benchmark.extra_info["residual_share"] = share
    assert share <= 0.03
