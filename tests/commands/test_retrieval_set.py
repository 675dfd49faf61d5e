"""Is what is searched prepared once, anew where anything about it changed, and not at all in a dry run?"""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.benchmarks import module_name
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.commands.retrieval_options import SourceOptions
from synapse_perf.commands.retrieval_preparation import DONE, PreparationInterrupted, prepare_vectors
from synapse_perf.commands.retrieval_set import (
    Prepared,
    choose_encoder_under_test,
    metadata_beside,
    prepare_index_set,
    prepare_texts_set,
    prepare_vectors_set,
)
from synapse_perf.errors import InputError, MeasurementError
from synapse_perf.measure.session import Outcome
from synapse_perf.model import Failure, Policy, Trial
from synapse_perf.retrieval.synthetic import synthetic_vectors
from tests.benchmarks.retrieval_sets import MadeEncoder, make_encoder, make_texts

SIZES = {"chunk_size": 100, "chunk_overlap": 10}


def failure_of(error: BenchmarkFailed) -> Failure:
    return Failure("error", str(error), str(error.failure["remedy"]), str(error.failure["detail"]))


class Workers:
    """Carries the preparations out in this process, and remembers which there were."""

    def __init__(self, failure: Failure | None = None, *, is_interrupted: bool = False) -> None:
        self.facts: list[dict[str, Any]] = []
        self.failure = failure
        self.is_interrupted = is_interrupted

    def __call__(self, policy: Policy, planned: int) -> Outcome:
        assert planned == 1
        spec = policy(())
        assert spec is not None
        if self.is_interrupted or self.failure:
            trials = () if self.is_interrupted else (Trial(spec, 1, (), 0.1, failure=self.failure),)
            return Outcome(trials, self.is_interrupted)
        look = (0, 0, None)
        context = Context(spec.workload, 0, 0, (look, look), lambda *_, **__: None)
        try:
            samples = tuple(importlib.import_module(module_name(spec.benchmark)).measure(context))
        except BenchmarkFailed as error:
            return Outcome((Trial(spec, 1, (), 0.1, failure=failure_of(error)),), is_interrupted=False)
        self.facts.append(dict(samples[0].facts))
        return Outcome((Trial(spec, 1, samples, 0.1),), is_interrupted=False)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> list[MadeEncoder]:
    folder = tmp_path_factory.mktemp("encoders")
    return [make_encoder(folder, seed) for seed in (0, 1)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(5):
        parts = [f"## {make_texts(1, 5, 100 + number)[0]}", make_texts(1, 150, number)[0]]
        (folder / f"{number}.md").write_text("\n\n".join(parts))
    return folder


def texts_set(corpus: Path, encoder: MadeEncoder, workers: Workers | None, **changes: Any) -> Prepared:
    under_test = choose_encoder_under_test(str(encoder.path), 1, quiet=True)
    return prepare_texts_set(SourceOptions(corpus=corpus, **{**SIZES, **changes}), under_test, 0, workers)


def index_set(folder: Path, encoder: MadeEncoder, workers: Workers | None, **changes: Any) -> Prepared:
    under_test = choose_encoder_under_test(str(encoder.path), 1, quiet=True)
    index = folder / "docs.index"
    return prepare_index_set(
        index, metadata_beside(index, None), SourceOptions(index=index, **changes), under_test, 0, workers
    )


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- texts -----------------------------------------------------------------------------------------------------------


def test_a_folder_of_text_becomes_a_set(corpus: Path, encoders: list[MadeEncoder]) -> None:
    workers = Workers()
    prepared = texts_set(corpus, encoders[0], workers)
    searched = prepared.searched

    assert files_in(Path(searched.directory)) == {
        "docs.index",
        "docs_metadata.json",
        "queries.jsonl",
        "vectors.npy",
        "query_vectors.npy",
        DONE,
    }
    document = json.loads(Path(searched.metadata).read_text())
    assert faiss.read_index(searched.index).ntotal == len(document["chunks"]) == prepared.facts["texts"] == 10
    assert document["embedding_dim"] == 64
    assert prepared.facts["query_source"] == "held out"
    assert (searched.label, searched.description) == ("docs", "10 chunks of 5 documents, Flat")


def test_it_is_prepared_once(corpus: Path, encoders: list[MadeEncoder]) -> None:
    workers = Workers()
    first = texts_set(corpus, encoders[0], workers)
    again = texts_set(corpus, encoders[0], workers)

    assert len(workers.facts) == 1
    assert again == first


@pytest.mark.parametrize("change", ["encoder", "chunk size", "overlap", "factory", "text", "queries"])
def test_another_anything_is_another_set(
    corpus: Path, encoders: list[MadeEncoder], tmp_path: Path, change: str
) -> None:
    workers = Workers()
    first = texts_set(corpus, encoders[0], workers)
    encoder = encoders[0]
    changes: dict[str, Any] = {}
    match change:
        case "encoder":
            encoder = encoders[1]
        case "chunk size":
            changes = {"chunk_size": 120}
        case "overlap":
            changes = {"chunk_overlap": 20}
        case "factory":
            changes = {"factory": "SQ8"}
        case "text":
            (corpus / "0.md").write_text((corpus / "0.md").read_text() + " more")
        case "queries":
            (tmp_path / "mine.txt").write_text("where is it?\n")
            changes = {"queries": tmp_path / "mine.txt"}
    other = texts_set(corpus, encoder, workers, **changes)

    assert other.searched.directory != first.searched.directory
    assert len(workers.facts) == 2
    everything = workers.facts[1]["texts"] + workers.facts[1]["queries"]
    embedded = workers.facts[1]["embedded"]
    expected = {"encoder": everything, "factory": 0, "queries": everything, "text": 1}  # headings are texts again
    assert embedded == expected.get(change, embedded)


def test_a_copy_of_the_folder_is_the_same_set(corpus: Path, encoders: list[MadeEncoder], tmp_path: Path) -> None:
    workers = Workers()
    first = texts_set(corpus, encoders[0], workers)
    corpus.rename(tmp_path / "elsewhere")

    assert texts_set(tmp_path / "elsewhere", encoders[0], workers).searched.directory == first.searched.directory
    assert len(workers.facts) == 1


def test_what_was_not_finished_is_prepared_again(corpus: Path, encoders: list[MadeEncoder]) -> None:
    with pytest.raises(PreparationInterrupted):
        texts_set(corpus, encoders[0], Workers(is_interrupted=True))

    workers = Workers()
    prepared = texts_set(corpus, encoders[0], workers)
    assert len(workers.facts) == 1
    assert DONE in files_in(Path(prepared.searched.directory))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}'])
def test_a_damaged_note_of_what_is_done_prepares_again(corpus: Path, encoders: list[MadeEncoder], content: str) -> None:
    first = texts_set(corpus, encoders[0], Workers())
    (Path(first.searched.directory) / DONE).write_text(content)

    workers = Workers()
    assert texts_set(corpus, encoders[0], workers).facts == first.facts
    assert len(workers.facts) == 1


def test_what_the_worker_could_tell_is_wrong_input_and_what_it_could_not_is_not(
    corpus: Path, encoders: list[MadeEncoder]
) -> None:
    told = Failure("error", "the disk is full", "free some")
    unforeseen = Failure("error", "KeyError: 'x'", detail="Traceback ...")
    crash = Failure("crash", "the worker died")

    with pytest.raises(InputError, match="the disk is full") as caught:
        texts_set(corpus, encoders[0], Workers(told))
    assert caught.value.remedy == "free some"
    for failure in (unforeseen, crash):
        with pytest.raises(MeasurementError, match=failure.message):
            texts_set(corpus, encoders[0], Workers(failure))


def test_files_that_are_left_out_are_told(corpus: Path, encoders: list[MadeEncoder]) -> None:
    (corpus / "picture.md").write_bytes(b"\x89PNG\0\0" * 100)
    prepared = texts_set(corpus, encoders[0], None)

    assert any(warning.startswith("not indexed: picture.md") for warning in prepared.warnings)


def test_a_cache_that_cannot_be_made_is_told(
    corpus: Path, encoders: list[MadeEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "file" / "cache"))

    with pytest.raises(InputError, match="cannot be made: Not a directory"):
        texts_set(corpus, encoders[0], Workers())


# --- an index that exists, and vectors alone -------------------------------------------------------------------------


def test_an_index_that_exists_gets_queries_out_of_its_texts(
    corpus: Path, encoders: list[MadeEncoder], cache: Path
) -> None:
    mine = Path(texts_set(corpus, encoders[0], Workers()).searched.directory)
    workers = Workers()
    prepared = index_set(mine, encoders[0], workers)
    searched = prepared.searched

    assert (searched.index, searched.metadata) == (str(mine / "docs.index"), str(mine / "docs_metadata.json"))
    assert files_in(Path(searched.directory)) == {"queries.jsonl", "query_vectors.npy", DONE}
    queries = [json.loads(line) for line in Path(searched.queries).read_text().splitlines()]
    assert len(queries) == len(np.load(searched.query_vectors)) == workers.facts[0]["queries"] > 0
    assert all(query["own"] for query in queries)
    assert index_set(mine, encoders[0], workers) == prepared
    assert len(workers.facts) == 1


def test_an_index_that_changed_is_another_set(corpus: Path, encoders: list[MadeEncoder]) -> None:
    mine = Path(texts_set(corpus, encoders[0], Workers()).searched.directory)
    first = index_set(mine, encoders[0], Workers())
    index = faiss.read_index(str(mine / "docs.index"))
    index.add(np.eye(1, 64, dtype=np.float32))
    faiss.write_index(index, str(mine / "docs.index"))

    assert index_set(mine, encoders[0], Workers()).searched.digest != first.searched.digest


@pytest.mark.parametrize("missing", ["docs.index", "docs_metadata.json"])
def test_a_file_that_is_missing_is_named(corpus: Path, encoders: list[MadeEncoder], missing: str) -> None:
    mine = Path(texts_set(corpus, encoders[0], Workers()).searched.directory)
    (mine / missing).unlink()

    with pytest.raises(InputError, match=rf"{missing}: no such (index|metadata) file"):
        index_set(mine, encoders[0], Workers())


def test_vectors_of_a_file_are_a_set_by_their_content(tmp_path: Path) -> None:
    vectors, _ = synthetic_vectors(300, 16)
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, vectors)
    workers = Workers()
    first, copy = (
        prepare_vectors_set(SourceOptions(vectors=tmp_path / name), 0, workers) for name in ("a.npy", "b.npy")
    )
    other = prepare_vectors_set(SourceOptions(vectors=tmp_path / "a.npy", factory="SQ8"), 0, workers)

    assert first.searched.digest == copy.searched.digest != other.searched.digest
    assert len(workers.facts) == 2
    assert (first.searched.encoder, first.searched.is_sample) == (None, False)
    assert first.searched.description == "270 vectors of 16 numbers, Flat"


def test_vectors_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npy: no such file"):
        prepare_vectors_set(SourceOptions(vectors=tmp_path / "none.npy"), 0, Workers())
    (tmp_path / "text.npy").write_text("no vectors")
    with pytest.raises(InputError, match=r"text\.npy is no \.npy file"):
        prepare_vectors_set(SourceOptions(vectors=tmp_path / "text.npy"), 0, Workers())


def test_made_vectors_are_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_perf.commands.retrieval_preparation.SYNTHETIC_DIMENSION", 16)
    prepared = prepare_vectors_set(SourceOptions(synthetic=400), 0, Workers())

    assert prepared.searched.is_sample
    assert prepared.searched.description == "400 vectors of 16 numbers, Flat"


# --- a dry run -------------------------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing(corpus: Path, encoders: list[MadeEncoder], cache: Path, tmp_path: Path) -> None:
    texts = texts_set(corpus, encoders[0], None)
    assert "10 chunks and 5 queries would be embedded first" in texts.warnings
    index = faiss.IndexFlatL2(64)
    faiss.write_index(index, str(tmp_path / "docs.index"))
    chunks = [{"id": str(n), "file_path": f"{n}.md", "content": text} for n, text in enumerate(make_texts(5))]
    (tmp_path / "docs_metadata.json").write_text(json.dumps({"chunks": chunks}))
    index_set(tmp_path, encoders[0], None)
    vectors = prepare_vectors_set(SourceOptions(synthetic=400), 0, None)
    assert vectors.searched.description == "not prepared yet"

    assert not cache.exists()


def test_a_dry_run_knows_a_set_that_is_prepared(corpus: Path, encoders: list[MadeEncoder]) -> None:
    prepared = texts_set(corpus, encoders[0], Workers())
    assert texts_set(corpus, encoders[0], None) == prepared


# --- the encoder -----------------------------------------------------------------------------------------------------


def test_the_encoder_is_described_by_its_file(encoders: list[MadeEncoder]) -> None:
    found = choose_encoder_under_test(str(encoders[0].path), 3, quiet=True)
    other = choose_encoder_under_test(str(encoders[1].path), 0, quiet=True)

    assert (found.dimension, found.threads, found.is_sample) == (64, 3, True)
    assert other.threads > 0
    assert other.digest != found.digest
    assert replace(found, path="", digest="", threads=0) == replace(other, path="", digest="", threads=0)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["docs_metadata.json"], "docs_metadata.json"),
        (["docs_metadata.json", "docs_metadata.pkl"], "docs_metadata.json"),
        (["docs_metadata.pkl"], "docs_metadata.pkl"),
        ([], "docs_metadata.json"),
    ],
)
def test_the_metadata_lies_beside_the_index(tmp_path: Path, files: list[str], found: str) -> None:
    for name in files:
        (tmp_path / name).touch()

    assert metadata_beside(tmp_path / "docs.index", None) == tmp_path / found
    assert metadata_beside(tmp_path / "docs.index", Path("given.json")) == Path("given.json")


def test_made_vectors_of_another_seed_are_another_set() -> None:
    folders = {prepare_vectors(None, 400, None, seed, None)[0] for seed in (0, 1)}
    assert len(folders) == 2
