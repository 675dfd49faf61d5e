"""A retrieval that is small and quick: a real FAISS index over texts, with vectors by hashing or of a tiny encoder."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from synapse_perf.analyze.retrieval_plan import EncoderUnderTest, RetrievalSet
from synapse_perf.benchmarks.retrieval_parts import encoder_from
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from synapse_perf.retrieval.pipeline import Parameters, Pipeline
from tests.llama.starts import TINY_BERT, make

DIMENSION = 16
TEXTS = tuple(f"the text of chunk {number} about topic {number % 7}" for number in range(60))
QUERIES = tuple(f"what is topic {number}?" for number in range(12))


def vector_of(text: str) -> NDArray[np.float32]:
    """The same for the same text, and of length 1."""
    vector = np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIMENSION).astype(np.float32)
    length = np.float32(np.linalg.norm(vector))
    return np.asarray(vector / length, dtype=np.float32)


def hashed_pipeline(texts: Sequence[str] = TEXTS, max_artifacts: int = 2) -> Pipeline:
    index = faiss.IndexFlatL2(DIMENSION)
    index.add(np.stack([vector_of(text) for text in texts]))
    return Pipeline(vector_of, index, texts, Parameters(max_artifacts=max_artifacts, min_relevance=-1.0))


def prepared_set(folder: Path, queries: Sequence[str] = QUERIES) -> RetrievalSet:
    """The files that workers open, with an encoder of two layers."""
    model = make(folder, TINY_BERT)
    encoder = encoder_from({"path": str(model), "label": "tiny", "threads": 1, "max_tokens": 64})
    index = faiss.IndexFlatL2(encoder.dimension)
    index.add(np.stack([encoder.embed(text) for text in TEXTS]))
    encoder.close()
    faiss.write_index(index, str(folder / "docs.index"))
    chunks = [{"id": str(number), "content": text} for number, text in enumerate(TEXTS)]
    (folder / "docs_metadata.json").write_text(json.dumps({"chunks": chunks}))
    (folder / "queries.jsonl").write_text("".join(json.dumps({"query": text}) + "\n" for text in queries))
    return RetrievalSet(
        label="small",
        description="60 chunks",
        directory=str(folder),
        index=str(folder / "docs.index"),
        metadata=str(folder / "docs_metadata.json"),
        queries=str(folder / "queries.jsonl"),
        query_vectors="",
        digest="",
        is_sample=True,
        encoder=EncoderUnderTest(str(model), "tiny", "", encoder.dimension, 64, is_sample=True, threads=1),
    )


def run(spec: TrialSpec, folder: Path) -> Trial:
    """One trial in a worker, as the program makes it."""
    register = Register(folder / "register")
    try:
        return run_trial(spec, 1, register=register, observe=lambda event: None)
    finally:
        register.end_all()
