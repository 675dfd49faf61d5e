"""Are the times of ws-latency those of a bare client on the same schedule, and does its tail show a planted stall?"""

from __future__ import annotations

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.analyze.summary import quantile
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from tests.bench.pairs import KeptRatios, paired_ratio
from tests.outside.websocket_servers import websocket_server

BARE = Path(__file__).with_name("bare_websocket.py")
RATE, COUNT = 250.0, 100  # processes differ by more than the messages of one do, so many short ones
PAIRS = 200  # their ratios scatter by 15 to 20 %


def trial(url: str, register: Register, count: int = COUNT) -> Trial:
    workload = {
        "url": url,
        "mode": "echo",
        "message": "",
        "trigger": None,
        "trigger_body": "",
        "connections": 1,
        "rate": RATE,
        "count": count,
        "pings": 0,
        "warmups": 20,
        "patience_s": 2.0,
        "load_url": None,
        "load_rate": 1.0,
        "load_timeout_s": 1.0,
    }
    spec = TrialSpec("ws_latency", "echo", {}, workload, samples=count, timeout_s=60)
    done = run_trial(spec, 1, register=register, observe=lambda event: None)
    assert done.failure is None, done.failure
    return done


def latencies(done: Trial) -> list[float]:
    return [one.value for sample in done.samples for one in sample.values if one.metric == "websocket_latency"]


def sent_to_received_s(url: str, register: Register) -> float:
    """Without the sender's own lateness, which the bare client does not count either."""
    done = trial(url, register)
    late = [float(sample.facts["lateness_s"] or 0.0) for sample in done.samples]
    return statistics.median(value - one for value, one in zip(latencies(done), late, strict=True))


def bare_s(url: str) -> float:
    """In a session of its own, as a trial is: Linux shares a crowded processor among sessions."""
    command = [sys.executable, str(BARE), url, str(RATE), str(COUNT)]
    told = subprocess.run(command, capture_output=True, check=True, text=True, start_new_session=True)
    return float(told.stdout)


def test_a_message_takes_as_long_as_with_a_bare_client(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    register = Register(tmp_path)

    def compare() -> None:
        with websocket_server("echo") as url:
            kept = KeptRatios("websocket")
            ours, theirs = partial(sent_to_received_s, url, register), partial(bare_s, url)
            ratio = paired_ratio(ours, theirs, fewest=PAIRS, kept=kept)
        sys.stdout.write(f"\nsend to receive against a bare client: {ratio}\n")
        benchmark.extra_info |= {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs}
        assert ratio.is_known_well, f"this machine is too noisy to tell: {ratio}"
        assert ratio.low <= 1.0 <= ratio.high, str(ratio)

    benchmark.pedantic(compare, rounds=1, iterations=1)


def test_a_stall_of_300_ms_is_in_the_p99(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    register = Register(tmp_path)

    def compare() -> None:
        with websocket_server("echo", 300) as url:
            values = latencies(trial(url, register, 400))
        p50, p99, worst = (quantile(values, share) * 1e3 for share in (0.5, 0.99, 1.0))
        sys.stdout.write(f"\na stall of 300 ms: p50 {p50:.2f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms\n")
        benchmark.extra_info |= {"p99_s": p99 / 1e3, "worst_s": worst / 1e3}
        assert p50 < 50 < 200 < p99

    benchmark.pedantic(compare, rounds=1, iterations=1)
