"""Are the warm figures of bench-cgrag those of a bare loop over the same index and model?"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from synapse_perf.analyze.retrieval_plan import EncoderUnderTest, RetrievalRequest, RetrievalSet, plan_retrieval
from synapse_perf.gguf_files.shapes import find_shape
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.retrieval.building import build_index, save_index
from synapse_perf.retrieval.synthetic import synthetic_vectors
from tests.bench.pairs import paired_ratio
from tests.benchmarks.retrieval_sets import make_texts

BARE = Path(__file__).with_name("bare_retrieval.py")
VECTORS, DIMENSION, QUERIES = 20_000, 384, 100
REQUEST = RetrievalRequest(
    min_relevance=-1.0, states=("warm",), omp_threads=(1,), encoder_threads=(1,), wants_openings=False
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> RetrievalSet:
    """The size of the usual encoder, and a flat index that takes a millisecond or two to search."""
    folder = tmp_path_factory.mktemp("set")
    model = synthesize(find_shape("minilm-l6"), "f16", folder / "minilm-l6.gguf", seed=0)
    vectors, _ = synthetic_vectors(VECTORS, DIMENSION)
    save_index(build_index(vectors, "Flat"), folder / "docs.index")
    chunks = [{"content": f"text {number}"} for number in range(VECTORS)]
    (folder / "docs_metadata.json").write_text(json.dumps({"chunks": chunks}))
    queries = "".join(json.dumps({"query": text}) + "\n" for text in make_texts(QUERIES, words=9))
    (folder / "queries.jsonl").write_text(queries)
    encoder = EncoderUnderTest(str(model), "minilm-l6", "", DIMENSION, 256, is_sample=True, threads=1)
    return RetrievalSet(
        label="bench",
        description="",
        directory=str(folder),
        index=str(folder / "docs.index"),
        metadata=str(folder / "docs_metadata.json"),
        queries=str(folder / "queries.jsonl"),
        query_vectors="",
        digest="",
        is_sample=True,
        encoder=encoder,
    )


def measured_s(searched: RetrievalSet, stage: str, register: Register) -> float:
    """The median of one warm process of bench-cgrag."""
    (case,) = plan_retrieval(searched, REQUEST)
    trial = run_trial(case.spec, 1, register=register, observe=lambda event: None)
    assert trial.failure is None, trial.failure
    values = [one.value for sample in trial.samples for one in sample.values if one.labels["stage"] == stage]
    assert len(values) == QUERIES
    return statistics.median(values)


def bare_s(searched: RetrievalSet, stage: str) -> float:
    assert searched.encoder is not None
    command = [sys.executable, str(BARE), searched.encoder.path, searched.index, searched.queries, str(REQUEST.k)]
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True).stdout
    return float(told.split()[("embed", "search").index(stage)])


@pytest.mark.parametrize("stage", ["embed", "search"])
def test_a_stage_takes_as_long_as_in_a_bare_loop(
    benchmark: BenchmarkFixture, searched: RetrievalSet, tmp_path: Path, stage: str
) -> None:
    register = Register(tmp_path)

    def compare() -> None:
        ratio = paired_ratio(lambda: measured_s(searched, stage, register), lambda: bare_s(searched, stage), most=150)
        sys.stdout.write(f"\nwarm {stage} against a bare loop: {ratio}\n")
        benchmark.extra_info |= {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs}
        assert ratio.is_known_well, f"this machine is too noisy to tell: {ratio}"
        assert ratio.low <= 1.0 <= ratio.high, str(ratio)

    benchmark.pedantic(compare, rounds=1, iterations=1)
