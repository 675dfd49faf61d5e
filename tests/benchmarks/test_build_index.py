"""Is a corpus embedded once, whatever interrupts it, and are the vectors those of its texts in their order?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.benchmarks import build_index
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.llama.encoder import Encoder
from synapse_perf.retrieval.embedding_cache import EmbeddingCache
from tests.benchmarks.retrieval_sets import LIMIT, MadeEncoder, make_encoder, make_texts
from tests.retrieval.little_room import little_room

TEXTS = [*make_texts(30), *make_texts(3)]  # three are there twice
QUERIES = make_texts(4, words=6, seed=1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> MadeEncoder:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


class Preparation:
    """A folder with texts and queries, and what was told while it was prepared."""

    def __init__(self, folder: Path, encoder: MadeEncoder) -> None:
        self.folder = folder
        self.encoder = encoder
        self.cache = folder / "cache" / "encoder.vectors"
        self.told: list[str] = []
        self.write(TEXTS)

    def write(self, texts: list[str], queries: tuple[str, ...] = QUERIES) -> None:
        chunks = [{"id": str(number), "content": text} for number, text in enumerate(texts)]
        (self.folder / "docs_metadata.json").write_text(json.dumps({"chunks": chunks}))
        (self.folder / "queries.jsonl").write_text("".join(json.dumps({"query": query}) + "\n" for query in queries))

    def run(self, factory: str | None = "Flat", **changes: Any) -> dict[str, Any]:
        """The facts."""
        workload = {
            "directory": str(self.folder),
            "encoder": self.encoder.as_workload(),
            "cache": str(self.cache),
            "factory": factory,
            **changes,
        }
        look = (0, 0, None)
        context = Context(workload, 0, 0, (look, look), lambda kind, **content: self.told.append(content["text"]))
        (sample,) = build_index.measure(context)
        assert {value.metric for value in sample.values} == set(build_index.METRICS)
        return dict(sample.facts)

    def fault(self, **changes: Any) -> dict[str, Any]:
        with pytest.raises(BenchmarkFailed) as caught:
            self.run(**changes)
        assert "\n" not in caught.value.failure["message"]
        return caught.value.failure


@pytest.fixture
def preparation(tmp_path: Path, encoder: MadeEncoder) -> Preparation:
    return Preparation(tmp_path, encoder)


def test_the_index_holds_the_vector_of_each_text_in_its_place(preparation: Preparation) -> None:
    facts = preparation.run()
    expected = preparation.encoder.embed(TEXTS)

    assert facts == {"texts": 33, "queries": 4, "embedded": 34, "dimension": 64}
    index = faiss.read_index(str(preparation.folder / "docs.index"))
    assert np.array_equal(index.reconstruct_n(0, index.ntotal), expected)
    assert np.array_equal(np.load(preparation.folder / "vectors.npy"), expected)
    queries = np.load(preparation.folder / "query_vectors.npy")
    assert np.array_equal(queries, preparation.encoder.embed(QUERIES))
    assert np.linalg.norm(expected, axis=1) == pytest.approx(1, abs=1e-5)


def test_nothing_is_embedded_twice(preparation: Preparation) -> None:
    preparation.run()
    assert preparation.run()["embedded"] == 0

    preparation.write([*TEXTS, "one more text"])
    assert preparation.run()["embedded"] == 1


def test_after_an_interruption_only_the_rest_is_embedded(
    preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed, done = Encoder.embed, 0

    def embed_some(encoder: Encoder, text: str) -> Any:
        nonlocal done
        if done == 10:
            raise KeyboardInterrupt
        done += 1
        return embed(encoder, text)

    monkeypatch.setattr(Encoder, "embed", embed_some)
    with pytest.raises(KeyboardInterrupt):
        preparation.run()
    assert not (preparation.folder / "docs.index").exists()
    monkeypatch.setattr(Encoder, "embed", embed)

    assert preparation.run()["embedded"] == 34 - 10
    expected = preparation.encoder.embed(TEXTS)
    assert np.array_equal(np.load(preparation.folder / "vectors.npy"), expected)


def test_encoders_side_by_side_give_each_text_its_own_vector(preparation: Preparation) -> None:
    facts = preparation.run(encoder=preparation.encoder.as_workload(threads=3))

    assert facts["embedded"] == 34
    assert np.array_equal(np.load(preparation.folder / "vectors.npy"), preparation.encoder.embed(TEXTS))


def test_an_index_that_exists_only_has_its_queries_embedded(preparation: Preparation) -> None:
    (preparation.folder / "docs_metadata.json").unlink()
    facts = preparation.run(factory=None)

    assert (facts["texts"], facts["queries"]) == (0, 4)
    assert not (preparation.folder / "docs.index").exists()
    assert np.load(preparation.folder / "query_vectors.npy").shape == (4, 64)


def test_the_progress_says_how_much_is_left(preparation: Preparation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_index, "TOLD_EVERY_S", -1.0)
    preparation.run()

    assert preparation.told[0] == "loading the encoder"
    assert preparation.told[1].startswith("embedding texts, 1 of 34, about ")
    assert preparation.told[-2] == "embedding texts, 34 of 34, about 0 s left"
    assert preparation.told[-1] == "building the index over 33 vectors"


def test_another_index_is_built_where_it_is_named(preparation: Preparation) -> None:
    preparation.run(factory="IVF2,SQ8")
    index = faiss.read_index(str(preparation.folder / "docs.index"))
    assert (index.ntotal, index.nlist) == (33, 2)


def test_a_factory_that_faiss_refuses_is_told(preparation: Preparation) -> None:
    failure = preparation.fault(factory="nonsense")
    assert failure["message"] == "FAISS cannot build 'nonsense' over 33 vectors: could not parse index string nonsense"
    assert failure["remedy"] == "choose another --factory"


def test_an_encoder_that_cannot_be_loaded_is_told(preparation: Preparation) -> None:
    failure = preparation.fault(encoder=preparation.encoder.as_workload(path=str(preparation.folder / "none.gguf")))
    assert failure["message"].startswith("tiny encoder 0: ")
    assert "No such file or directory" in failure["message"]


def test_vectors_that_are_no_numbers_are_refused(preparation: Preparation) -> None:
    """As a damaged encoder gives them; here they are in the cache already."""
    with EmbeddingCache(preparation.cache, 64) as cache:
        cache.add(TEXTS[5], np.full(64, np.nan, dtype=np.float32))

    failure = preparation.fault()
    assert failure["message"] == "tiny encoder 0 gives vectors that are no numbers (NaN)"
    assert not (preparation.folder / "docs.index").exists()


def test_a_disk_that_is_full_is_told_and_what_was_embedded_is_kept(preparation: Preparation) -> None:
    with little_room(5_000):
        failure = preparation.fault()
    assert failure["message"] == "the prepared set cannot be kept: File too large"
    assert "free some space" in failure["remedy"]

    with EmbeddingCache(preparation.cache, 64) as cache:
        assert len(cache) == (5_000 - 64) // (32 + 4 * 64)


def test_a_text_longer_than_the_encoder_reads_is_embedded_by_its_beginning(preparation: Preparation) -> None:
    long = " ".join(make_texts(1, words=3 * LIMIT))
    preparation.write([long, long + " with another end", *TEXTS])
    preparation.run()

    vectors = np.load(preparation.folder / "vectors.npy")
    assert np.array_equal(vectors[0], vectors[1])
