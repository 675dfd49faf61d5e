"""Faults in how an index was made are named in the report of the run, beside the figures that they spoil."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from tests.benchmarks.retrieval_sets import MadeEncoder, make_encoder, make_texts, write_set
from tests.faults.program import run

QUICK = (
    *("-r", "1", "--max-time", "20s", "--format", "json"),
    *("--state", "warm", "--no-openings", "--no-caches", "--omp-threads", "1"),
)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> tuple[MadeEncoder, MadeEncoder]:
    folder = tmp_path_factory.mktemp("encoders")
    return make_encoder(folder, 0), make_encoder(folder, 1)


def severe(folder: Path, encoder: MadeEncoder) -> dict[str, Any]:
    """What is found that is no mere information, by its id."""
    told = run("bench-cgrag", "--index", folder / "docs.index", "--encoder", encoder.path, *QUICK)
    assert told.errors == []
    return {finding["id"]: finding for finding in told.result["findings"] if finding["severity"] != "info"}


def test_three_faults_in_one_index_are_told_apart(tmp_path: Path, encoders: tuple[MadeEncoder, MadeEncoder]) -> None:
    """Lists of which one is searched, vectors as long as they came, and texts that stand one place off."""
    texts = make_texts(120)
    vectors = encoders[0].embed(texts) * np.linspace(1, 6, 120, dtype=np.float32)[:, None]
    index = faiss.index_factory(64, "IVF12,Flat")
    index.train(vectors)
    write_set(tmp_path, (*texts[1:], texts[0]), vectors, index)

    found = severe(tmp_path, encoders[0])

    assert {"nprobe-left-at-1", "vectors-not-normalised", "metadata-shifted"} <= set(found)
    assert "index.nprobe = " in found["nprobe-left-at-1"]["change"]
    assert "faiss.normalize_L2" in found["vectors-not-normalised"]["change"]
    assert "the texts stand 1 before their vectors" in found["metadata-shifted"]["cause"]


def test_another_encoder_than_the_one_that_built_it(tmp_path: Path, encoders: tuple[MadeEncoder, MadeEncoder]) -> None:
    texts = make_texts(60)
    write_set(tmp_path, texts, encoders[0].embed(texts), name="the-other-encoder")

    wrong = severe(tmp_path, encoders[1])["wrong-encoder"]

    assert wrong["severity"] == "high"
    assert "the metadata names the-other-encoder" in wrong["cause"]
    assert wrong["evidence"]["found_themselves"] == 0


@pytest.fixture
def crowd() -> Iterator[None]:
    """Twice as many programs as there are processors, each of which wants one for itself."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    yield
    for program in programs:
        program.kill()
        program.wait()


def test_several_openmp_threads_for_one_query_on_a_busy_machine(
    tmp_path: Path, crowd: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    vectors = np.random.default_rng(0).normal(size=(20_000, 384)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)

    told = run("bench-cgrag", "--vectors", tmp_path / "vectors.npy", *QUICK[:-2])

    (found,) = [one for one in told.result["findings"] if one["id"] == "openmp-threads-per-query"]
    assert found["severity"] == "medium"
    assert "4 threads for one query" in found["cause"]
    assert found["gain"]["value"] > 0
    assert "OMP_NUM_THREADS=1" in found["change"]


def test_queries_that_come_again_without_a_cache(tmp_path: Path, encoders: tuple[MadeEncoder, MadeEncoder]) -> None:
    texts = make_texts(60)
    write_set(tmp_path, texts, encoders[0].embed(texts))
    log = tmp_path / "log.txt"
    log.write_text("".join(f"how is word {number % 8} found\n" for number in range(80)))
    wanted = ("-r", "6", *(word for word in QUICK[2:] if word != "--no-caches"))

    told = run(
        "bench-cgrag", "--index", tmp_path / "docs.index", "--encoder", encoders[0].path, "--queries", log, *wanted
    )  # fmt: skip

    (found,) = [one for one in told.result["findings"] if one["id"] == "no-embedding-cache"]
    assert found["severity"] in ("medium", "high"), "a log of the user's is no assumption"
    assert found["evidence"]["hit_rate"] == pytest.approx(0.9)
    assert "lru_cache(maxsize=8)" in found["change"]
