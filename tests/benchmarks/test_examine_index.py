"""Each fault that is planted in an index is found and named; whole ones of every kind give no finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.analyze.retrieval_doctor import diagnose
from synapse_perf.benchmarks import examine_index, index_recall
from synapse_perf.benchmarks.context import BenchmarkFailed
from synapse_perf.model import Finding
from synapse_perf.retrieval.synthetic import synthetic_vectors
from tests.benchmarks.retrieval_sets import LIMIT, MadeEncoder, make_encoder, make_texts, run, write_set

COUNT = 300


@pytest.fixture(autouse=True)
def _one_thread_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with OMP_NUM_THREADS=1; what more threads cost on a busy machine is no fault of these indexes."""
    monkeypatch.setattr("synapse_perf.retrieval.thread_cost._in_another_thread", lambda call: 1)


@dataclass(frozen=True)
class Embedded:
    """Texts with their vectors, and other texts of the same kind that ask."""

    encoder: MadeEncoder
    texts: tuple[str, ...]
    vectors: Any
    queries: Any


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def good(folder: Path) -> Embedded:
    encoder = make_encoder(folder)
    texts = make_texts(COUNT)
    return Embedded(encoder, texts, encoder.embed(texts), encoder.embed(make_texts(20, words=8, seed=1)))


@pytest.fixture(scope="module")
def other(folder: Path) -> MadeEncoder:
    return make_encoder(folder, seed=1)


@pytest.fixture(scope="module")
def clustered() -> tuple[Any, Any]:
    return synthetic_vectors(8000, 64, seed=3)


def findings(given: dict[str, Any]) -> list[Finding]:
    examined, _ = run(examine_index, given)
    judged, _ = run(index_recall, given)
    return diagnose(examined, judged, given["name"])


def named(given: dict[str, Any]) -> set[str]:
    """What is found that asks for a change."""
    return {finding.id for finding in findings(given) if finding.severity != "info"}


def with_encoder(given: dict[str, Any], encoder: MadeEncoder, **changes: Any) -> dict[str, Any]:
    return {**given, "encoder": encoder.as_workload(**changes)}


def numbered(index: Any, vectors: Any, ids: Any) -> Any:
    index.add_with_ids(vectors, ids)
    return index


# --- whole ones ------------------------------------------------------------------------------------------------------

KINDS = ("Flat", "SQfp16", "SQ8", "HNSW16", "IVF4,Flat", "IVF2,SQ8", "PQ16x4", "PCA48,Flat", "RaBitQ")


@pytest.mark.parametrize("factory", KINDS)
def test_a_whole_index_of_every_kind_gives_no_finding(tmp_path: Path, good: Embedded, factory: str) -> None:
    index = faiss.index_factory(64, factory)
    index.train(good.vectors)
    if factory.startswith("IVF"):
        index.nprobe = index.nlist
    given = write_set(tmp_path, good.texts, good.vectors, index, queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == set()


def test_an_index_of_inner_products_gives_no_finding(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts, good.vectors, faiss.IndexFlatIP(64), queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == set()


@pytest.mark.parametrize("kind", [faiss.IndexIDMap, faiss.IndexIDMap2])
def test_vectors_with_ids_of_their_own_are_matched_by_them(tmp_path: Path, good: Embedded, kind: Any) -> None:
    order = np.random.default_rng(0).permutation(COUNT)
    index = numbered(kind(faiss.IndexFlatL2(64)), good.vectors[order], order)
    given = write_set(tmp_path, good.texts, good.vectors, index, queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == set()


def test_ids_that_were_removed_from_lists_leave_no_gap_in_the_others(tmp_path: Path, good: Embedded) -> None:
    index = faiss.index_factory(64, "IVF2,Flat")
    index.train(good.vectors)
    index.nprobe = 2
    index.add(good.vectors)
    index.remove_ids(np.array([3, 40]))
    given = write_set(tmp_path, good.texts, good.vectors, index, queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == set()


def test_texts_that_occur_twice_may_find_their_copies(tmp_path: Path, good: Embedded) -> None:
    texts, vectors = good.texts * 2, np.concatenate([good.vectors, good.vectors])
    given = write_set(tmp_path, texts, vectors, queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == set()


def test_lists_with_enough_of_them_searched_give_no_finding(tmp_path: Path, clustered: tuple[Any, Any]) -> None:
    vectors, queries = clustered
    index = faiss.index_factory(64, "IVF64,Flat")
    index.train(vectors)
    index.nprobe = 16
    given = write_set(tmp_path, (), vectors, index, queries=queries[:200])

    assert named(given) == set()


# --- faults of the index ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_lists(tmp_path_factory: pytest.TempPathFactory, clustered: tuple[Any, Any]) -> Callable[[int, int], Any]:
    vectors, queries = clustered

    def made(nlist: int, nprobe: int) -> dict[str, Any]:
        index = faiss.index_factory(64, f"IVF{nlist},Flat")
        index.train(vectors)
        index.nprobe = nprobe
        folder = tmp_path_factory.mktemp("lists")
        return write_set(folder, (), vectors, index, queries=queries[:200])

    return made


def test_one_list_searched_is_named_with_what_more_would_find(of_lists: Callable[[int, int], Any]) -> None:
    (probes,) = [finding for finding in findings(of_lists(64, 1)) if finding.id == "nprobe-left-at-1"]

    better = probes.evidence["with_more_lists"]
    assert probes.severity == "high"
    assert probes.evidence["recall"]["high"] < 0.95 <= better["low"]
    assert 1 < better["nprobe"] <= 64
    assert f"index.nprobe = {better['nprobe']}" in probes.change
    assert probes.gain is not None
    assert probes.gain.measured
    assert probes.gain.value == pytest.approx(better["value"] - probes.evidence["recall"]["value"])


def test_lists_given_with_the_call_count_not_those_in_the_file(of_lists: Callable[[int, int], Any]) -> None:
    given = of_lists(64, 1)
    given["parameters"] = {**given["parameters"], "search": {"nprobe": 32}}

    assert named(given) == set()


def test_few_of_the_lists_searched_is_low_recall(of_lists: Callable[[int, int], Any]) -> None:
    assert "low-recall" in named(of_lists(256, 2))


def test_lists_without_need_are_named_where_they_cost_recall(of_lists: Callable[[int, int], Any]) -> None:
    (flat,) = [finding for finding in findings(of_lists(64, 1)) if finding.id == "ivf-where-flat-is-enough"]

    assert flat.severity == "medium"
    assert flat.evidence["exact_search_s"] <= 0.001


def test_lists_trained_on_too_few_vectors_are_named(of_lists: Callable[[int, int], Any]) -> None:
    (training,) = [finding for finding in findings(of_lists(256, 2)) if finding.id == "too-few-training-vectors"]

    assert (training.evidence["ntotal"], training.evidence["needed"]) == (8000, 39 * 256)


def test_results_of_minus_one_are_named(tmp_path: Path, good: Embedded) -> None:
    index = faiss.index_factory(64, "IVF16,Flat")
    index.train(good.vectors)
    given = write_set(tmp_path, good.texts, good.vectors, index, queries=good.queries)

    assert {"missing-results", "nprobe-left-at-1"} <= named(with_encoder(given, good.encoder))


def test_a_k_above_what_there_is_is_named(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts[:10], good.vectors[:10], queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == {"k-above-ntotal"}


# --- faults between the index and its texts --------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [faiss.IndexFlatL2, faiss.IndexFlatIP])
def test_vectors_that_are_not_normalised_are_named(tmp_path: Path, good: Embedded, metric: Any) -> None:
    lengths = np.linspace(0.5, 6, COUNT, dtype=np.float32)[:, None]
    given = write_set(tmp_path, good.texts, good.vectors * lengths, metric(64), queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == {"vectors-not-normalised"}


@pytest.mark.parametrize(("step", "words"), [(1, "1 behind their vectors"), (-1, "1 before their vectors")])
def test_metadata_shifted_by_one_are_named(tmp_path: Path, good: Embedded, step: int, words: str) -> None:
    texts = tuple(good.texts[(at + step) % COUNT] for at in range(COUNT))
    given = write_set(tmp_path, texts, good.vectors, queries=good.queries)

    (shifted,) = [finding for finding in findings(with_encoder(given, good.encoder)) if finding.severity != "info"]

    assert shifted.id == "metadata-shifted"
    assert set(shifted.evidence["offsets"]) == {step}


def test_metadata_shifted_after_a_removal_are_named_with_the_place(tmp_path: Path, good: Embedded) -> None:
    index = faiss.IndexFlatL2(64)
    index.add(good.vectors)
    index.remove_ids(np.array([60]))
    texts = good.texts[:-1]
    given = write_set(tmp_path, texts, good.vectors, index, queries=good.queries)

    (shifted,) = [finding for finding in findings(with_encoder(given, good.encoder)) if finding.severity != "info"]

    assert shifted.id == "metadata-shifted"
    assert "1 behind their vectors from some text between 30 and 90 on" in shifted.cause


def test_texts_in_another_order_are_named(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts[::-1], good.vectors, queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == {"metadata-shifted"}


def test_another_encoder_is_named(tmp_path: Path, good: Embedded, other: MadeEncoder) -> None:
    queries = other.embed(make_texts(20, words=8, seed=1))
    given = write_set(tmp_path, good.texts, good.vectors, queries=queries, name=good.encoder.label)

    (wrong,) = [finding for finding in findings(with_encoder(given, other)) if finding.severity != "info"]

    assert wrong.id == "wrong-encoder"
    assert "tiny encoder 1" in wrong.cause
    assert "the metadata names tiny encoder 0" in wrong.cause
    assert "nothing like what is stored" in wrong.cause


def test_another_encoder_is_named_for_codes_that_only_resemble_the_vectors(
    tmp_path: Path, good: Embedded, other: MadeEncoder
) -> None:
    index = faiss.index_factory(64, "RaBitQ")
    index.train(good.vectors)
    given = write_set(tmp_path, good.texts, good.vectors, index, queries=good.queries)

    assert named(with_encoder(given, other)) == {"wrong-encoder"}


def test_texts_changed_since_they_were_embedded_are_named(tmp_path: Path, good: Embedded) -> None:
    new = make_texts(COUNT, seed=9)
    texts = tuple(new[at] if at >= 200 else text for at, text in enumerate(good.texts))
    given = write_set(tmp_path, texts, good.vectors, queries=good.queries)

    (stale,) = [finding for finding in findings(with_encoder(given, good.encoder)) if finding.severity != "info"]

    assert stale.id == "round-trip-fails"
    assert stale.evidence["ids"] == [210, 270]


def test_texts_longer_than_the_encoder_reads_are_named(tmp_path: Path, good: Embedded) -> None:
    texts = make_texts(30, words=400)
    given = write_set(tmp_path, texts, good.encoder.embed(texts), queries=good.queries)

    (cut,) = [finding for finding in findings(with_encoder(given, good.encoder)) if finding.severity != "info"]

    assert cut.id == "text-cut-off"
    assert cut.evidence["share_of_texts"] == 1
    assert cut.evidence["share_of_tokens"] == pytest.approx(1 - LIMIT / (2 + 400), abs=0.02)


def test_texts_without_vectors_are_named(tmp_path: Path, good: Embedded) -> None:
    index = faiss.IndexFlatL2(64)
    index.add(good.vectors[:-3])
    given = write_set(tmp_path, good.texts, good.vectors, index, queries=good.queries)

    assert named(with_encoder(given, good.encoder)) == {"metadata-out-of-step"}


def test_a_threshold_that_drops_everything_is_named_with_one_that_does_not(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts, good.vectors, queries=good.queries)
    given["parameters"] = {**given["parameters"], "min_relevance": 0.999}

    (empty,) = [finding for finding in findings(with_encoder(given, good.encoder)) if finding.severity != "info"]

    assert empty.id == "empty-contexts"
    assert empty.evidence["share_of_empty"] == 1
    assert empty.evidence["share_of_empty_with_lower"] <= 0.05


def test_a_threshold_is_not_judged_by_random_weights(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts, good.vectors, queries=good.queries)
    given["parameters"] = {**given["parameters"], "min_relevance": 0.999}

    assert named(with_encoder(given, good.encoder, is_sample=True)) == set()


# --- what cannot be searched -----------------------------------------------------------------------------------------


def refusal(given: dict[str, Any]) -> str:
    with pytest.raises(BenchmarkFailed) as raised:
        run(examine_index, given)
    assert raised.value.failure["kind"] == "error"
    assert raised.value.failure["detail"] == ""
    return str(raised.value)


def test_fewer_texts_than_vectors_are_refused(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts[:-1], good.vectors)

    assert refusal(given) == "docs.index holds 300 vectors, but its metadata only 299 texts: they are out of step"


def test_ids_beyond_the_texts_are_refused(tmp_path: Path, good: Embedded) -> None:
    index = numbered(faiss.IndexIDMap2(faiss.IndexFlatL2(64)), good.vectors, np.arange(COUNT) * 10)
    given = write_set(tmp_path, good.texts, good.vectors, index)

    assert "300 vectors with ids up to 2990, but its metadata only 300 texts" in refusal(given)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("factory", ["Flat", "HNSW8"])
def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path, good: Embedded, factory: str, value: float) -> None:
    vectors = good.vectors.copy()
    index = faiss.index_factory(64, factory)
    index.train(vectors)
    vectors[[7, 9], 3] = value
    given = write_set(tmp_path, good.texts, vectors, index)

    assert refusal(given) == "docs.index: vector 7 and 1 more holds NaN or infinity, which no search finds"


def test_vectors_that_are_no_numbers_are_in_no_list(tmp_path: Path, good: Embedded) -> None:
    """FAISS counts them, and leaves them out."""
    vectors = good.vectors.copy()
    index = faiss.index_factory(64, "IVF2,Flat")
    index.train(vectors)
    vectors[[7, 9], 3] = np.nan
    given = write_set(tmp_path, good.texts, vectors, index)

    assert "2 of its 300 vectors are in no list: they held NaN" in refusal(given)


def test_an_empty_index_is_refused(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, (), good.vectors[:0], queries=good.queries)

    assert refusal(given) == "docs.index: the index is empty"


def test_an_encoder_of_another_dimension_is_refused(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts, good.vectors[:, :32].copy())

    words = refusal(with_encoder(given, good.encoder))
    assert words == "docs.index holds vectors of 32 numbers, tiny encoder 0 gives 64"


def test_a_parameter_that_the_index_does_not_have_is_refused(tmp_path: Path, good: Embedded) -> None:
    given = write_set(tmp_path, good.texts, good.vectors)
    given["parameters"] = {**given["parameters"], "search": {"nprobe": 4}}

    assert refusal(given) == "docs.index: IndexFlatL2 has no parameter nprobe"
