"""Small indexes with their texts, their encoder and their queries, whole or each with one fault."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from synapse_perf.benchmarks.context import Context
from synapse_perf.gguf_files.english import WORDS
from synapse_perf.gguf_files.shapes import find_shape
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.llama.encoder import Encoder

TINY_MINILM = replace(
    find_shape("minilm-l6"),
    name="tiny-minilm",
    title="tiny MiniLM",
    n_layer=2,
    n_embd=64,
    n_head=2,
    n_head_kv=2,
    n_ff=128,
    n_vocab=6000,
    n_ordinary=6000,
)
LIMIT = 128  # tokens that the encoder reads
PARAMETERS = {"max_artifacts": 5, "min_relevance": 0.2, "token_budget": 8000, "search": {}}
LOOK = (0, 0, None)


@dataclass(frozen=True)
class MadeEncoder:
    """An encoder with random weights: a text gives the same vector each time, another seed gives another."""

    path: Path
    seed: int

    @property
    def label(self) -> str:
        return f"tiny encoder {self.seed}"

    def embed(self, texts: Sequence[str]) -> Any:
        encoder = Encoder(self.path, 1, LIMIT)
        vectors = np.array([encoder.embed(text) for text in texts], dtype=np.float32)
        encoder.close()
        return vectors

    def as_workload(self, **changes: Any) -> dict[str, Any]:
        options = {"path": str(self.path), "label": self.label, "model_name": self.label, "is_sample": False}
        return {**options, "max_tokens": LIMIT, "threads": 1, **changes}


def make_encoder(folder: Path, seed: int = 0) -> MadeEncoder:
    path = folder / f"tiny-minilm-{seed}.gguf"
    return MadeEncoder(synthesize(TINY_MINILM, "f16", path, seed=seed), seed)


@cache
def make_texts(count: int, words: int = 30, seed: int = 0) -> tuple[str, ...]:
    """Texts without a common word order: no two are alike."""
    draw = random.Random(seed)
    return tuple(" ".join(draw.choices(WORDS, k=words)) for _ in range(count))


def write_set(
    folder: Path, texts: Sequence[str], vectors: Any, index: Any = None, *, queries: Any = None, name: str = "made"
) -> dict[str, Any]:
    """The files of an index as the engine keeps them, and the workload that points at them."""
    folder.mkdir(parents=True, exist_ok=True)
    if index is None:
        index = faiss.IndexFlatL2(vectors.shape[1])
    if index.ntotal == 0:
        index.add(vectors)
    faiss.write_index(index, str(folder / "docs.index"))
    chunks = [{"id": str(at), "file_path": f"{at}.md", "content": text} for at, text in enumerate(texts)]
    document = {"embedding_model_name": name, "embedding_dim": vectors.shape[1], "chunks": chunks}
    (folder / "docs_metadata.json").write_text(json.dumps(document))
    np.save(folder / "query_vectors.npy", vectors[:20] if queries is None else queries)
    return workload(folder, has_texts=bool(texts))


def workload(folder: Path, *, has_texts: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "name": "docs.index",
        "index": str(folder / "docs.index"),
        "metadata": str(folder / "docs_metadata.json") if has_texts else "",
        "query_vectors": str(folder / "query_vectors.npy"),
        "queries": "",
        "vectors": "",
        "room_bytes": 1 << 30,
        "open": "read",
        "omp_threads": 1,
        "encoder": None,
        "parameters": PARAMETERS,
        "k": 25,
        **changes,
    }


def run(benchmark: Any, given: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The facts and the samples of a benchmark, in this process."""
    context = Context(given, 0, 0, (LOOK, LOOK), lambda *_, **__: None)
    samples = list(benchmark.measure(context))
    return json.loads(json.dumps(context.facts)), samples
