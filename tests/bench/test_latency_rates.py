"""Are the rates of tier-latency those of llama-bench, and of a bare loop over llama_decode?

llama-bench is compiled from the sources that llama-cpp-python comes with: ``python tests/bench/llama_bench.py``. All of
them read the same count of tokens into an empty KV cache and write the same count after them, on the same threads, with
the same batches, KV types and context, each time in a process of its own. As llama-bench does, only the evaluation
of tokens counts: no template, no tokeniser, no sampling.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.analyze.query_set import scored
from synapse_perf.gguf_files.embedded import EMBEDDED_SHAPES
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import TrialSpec
from tests.bench import llama_bench
from tests.bench.pairs import paired_ratio

Part = Literal["decode", "prefill"]
GENERATED = 48
ROUNDS = 3  # in each process; its figure is their median
MOST_PAIRS = 150
CMAKE_ARGS = os.environ.get("CMAKE_ARGS", "")
LLAMA_BENCH = llama_bench.directory(CMAKE_ARGS)  # the user's: it takes minutes to compile, and tests have a cache apart
PROMPT = "Explain how a process waits for a page of a file that is not in memory, and who wakes it up again. " * 3


@dataclass
class Subject:
    """The model and how it is asked; `prompt_tokens` is what its template makes of the prompt."""

    path: Path
    register: Register
    prompt_tokens: int = 0

    @property
    def context(self) -> int:
        return self.prompt_tokens + GENERATED + 1 if self.prompt_tokens else 512

    def ours_s(self, part: Part) -> float:
        """Seconds of one token, as tier-latency notes them."""
        workload = {
            "tier": "fast",
            "settings": LoadSettings(str(self.path), n_ctx=self.context).as_workload(),
            "neighbours": [],
            "prefix": "cold",
            "queries": [scored(PROMPT).as_workload()],
            "system": None,
            "max_tokens": GENERATED + 1,  # the first one comes out of the prompt
            "is_fixed_length": True,
            "temperature": 0.0,
            "seed": 0,
            "count": ROUNDS,
            "asking_s": None,
        }
        spec = TrialSpec("tier_latency", "fast", {"tier": "fast"}, workload, samples=ROUNDS + 1)
        trial = run_trial(spec, 1, register=self.register, observe=lambda event: None)
        assert trial.failure is None
        steady = [sample.facts for sample in trial.samples[1:]]
        self.prompt_tokens = int(str(steady[0]["prompt_tokens"]))
        assert all(facts["generated_tokens"] == GENERATED + 1 and not facts["reused_tokens"] for facts in steady)
        count = GENERATED if part == "decode" else self.prompt_tokens
        return statistics.median(float(str(facts[f"{part}_s"])) for facts in steady) / count

    def bare_s(self, part: Part) -> float:
        script = Path(__file__).with_name("bare_decode.py")
        sizes = (self.context, LoadSettings("").threads, self.prompt_tokens, GENERATED, ROUNDS)
        command = [sys.executable, str(script), str(self.path), *map(str, sizes)]
        rounds: list[tuple[float, float]] = json.loads(told_by(command))
        return statistics.median(
            decode_s / GENERATED if part == "decode" else prefill_s / self.prompt_tokens
            for prefill_s, decode_s in rounds
        )

    def llama_bench_s(self, program: Path, part: Part) -> float:
        asked = {
            "decode": ["-p", "0", "-n", str(GENERATED), "-d", str(self.prompt_tokens)],
            "prefill": ["-p", str(self.prompt_tokens), "-n", "0"],
        }[part]
        fixed = ["-t", str(LoadSettings("").threads), "-b", "512", "-ub", "512", "-ngl", "0", "-lm", "mmap"]
        command = [str(program), "-m", str(self.path), *asked, *fixed, "-r", str(ROUNDS), "-o", "json"]
        samples_ns: list[int] = json.loads(told_by(command))[0]["samples_ns"]
        return statistics.median(samples_ns) * 1e-9 / (GENERATED if part == "decode" else self.prompt_tokens)


def told_by(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The shape of the embedded BALANCED model."""
    folder = tmp_path_factory.mktemp("rates")
    found = Subject(synthesize(EMBEDDED_SHAPES["balanced"], "q4_k_m", folder / "m.gguf", seed=0), Register(folder))
    found.ours_s("prefill")  # learns the length of the prompt
    return found


@pytest.fixture(scope="module")
def llama_bench_program() -> Path:
    return llama_bench.ensure(Path(sys.executable), LLAMA_BENCH, CMAKE_ARGS)


def compare(benchmark: BenchmarkFixture, what: str, ours: Callable[[], float], theirs: Callable[[], float]) -> None:
    def run() -> None:
        ratio = paired_ratio(ours, theirs, most=MOST_PAIRS)
        sys.stdout.write(f"\n{what}: {ratio}, {1 / ours():.1f} tokens/s\n")
        benchmark.extra_info |= {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs}
        assert ratio.is_known_well, f"this machine is too noisy to tell: {ratio}"
        assert ratio.low <= 1.0 <= ratio.high, str(ratio)

    benchmark.pedantic(run, rounds=1, iterations=1)


@pytest.mark.parametrize("part", ["decode", "prefill"])
def test_a_token_takes_as_long_as_in_a_bare_loop(benchmark: BenchmarkFixture, subject: Subject, part: Part) -> None:
    compare(benchmark, f"{part} against a bare loop", lambda: subject.ours_s(part), lambda: subject.bare_s(part))


@pytest.mark.parametrize("part", ["decode", "prefill"])
def test_a_token_takes_as_long_as_in_llama_bench(
    benchmark: BenchmarkFixture, subject: Subject, llama_bench_program: Path, part: Part
) -> None:
    compare(
        benchmark,
        f"{part} against llama-bench",
        lambda: subject.ours_s(part),
        lambda: subject.llama_bench_s(llama_bench_program, part),
    )
