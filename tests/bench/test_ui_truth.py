"""In how many of six browsers is a planted block found, with its function, and in how many is a clean page clean?"""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.benchmarks.ui_fps import SAMPLES_AT_MOST
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from synapse_perf.outside.browser import find_chromium
from tests.outside.pages import blocked, needs_browser, served

BROWSERS = 6
SECONDS = 4.0
BLOCKS_MS = (0, 40, 120)
LEAST_FOUND = 3  # of the four that are planted: the recording may begin or end within one


def trial(url: str, number: int, register: Register) -> Trial:
    workload = {
        "url": url,
        "seconds": SECONDS,
        "control_s": 2.0,
        "watch_s": 0.1,
        "settle_s": 1.0,
        "patience_s": 30.0,
        "chromium": find_chromium(),
        "uses_gpu": False,
        "scenario": None,
    }
    spec = TrialSpec("ui_fps", "browser", {}, workload, samples=SAMPLES_AT_MOST, timeout_s=120)
    done = run_trial(spec, number, register=register, observe=lambda event: None)
    assert done.failure is None, done.failure
    return done


def named(done: Trial) -> int:
    """How often the planted function was found to hold the main thread."""
    return sum(sample.facts.get("held_by") == "burn" for sample in done.samples)


def stalls(done: Trial) -> float:
    return next(one.value for one in done.samples[0].values if one.metric == "main_thread_stalls")


@needs_browser
def test_planted_blocks_are_found_in_every_browser(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    register = Register(tmp_path / "processes")
    found: dict[int, list[Trial]] = {block: [] for block in BLOCKS_MS}
    pages: dict[str, str | int] = {f"/{block}": blocked(block) for block in BLOCKS_MS}

    def measure() -> None:
        with served(pages) as address:
            for number in range(1, BROWSERS + 1):
                for block in BLOCKS_MS:
                    found[block].append(trial(f"{address}/{block}", number, register))

    benchmark.pedantic(measure, rounds=1)
    control = [done.samples[0].facts["control_stalls"] for trials in found.values() for done in trials]
    told = [f"{block} ms: named {[named(done) for done in found[block]]}" for block in BLOCKS_MS[1:]]
    told.append(f"clean page: stalls in 10 s {[round(stalls(done), 1) for done in found[0]]}")
    told.append(f"control page: stalls {control}")
    sys.stderr.write("\n" + "\n".join(told) + "\n")
    benchmark.extra_info.update({str(block): [named(done) for done in found[block]] for block in BLOCKS_MS})
    for block in BLOCKS_MS[1:]:
        assert sum(named(done) >= LEAST_FOUND for done in found[block]) == BROWSERS
    assert sum(stalls(done) == 0 for done in found[0]) == BROWSERS
