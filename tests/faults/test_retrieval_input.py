"""An index that cannot be searched ends the run before anything is timed: one line with its remedy, and code 2."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from tests.benchmarks.retrieval_sets import MadeEncoder, make_encoder, make_texts, write_set
from tests.faults.program import Told, run, saved_runs

COUNT = 40
QUICK = (
    *("-r", "1", "--max-time", "20s", "--format", "json"),
    *("--state", "warm", "--no-openings", "--no-caches", "--omp-threads", "1"),
)
FLAT_HEADER = 4 + 4 + 8 + 8 + 8 + 1 + 4  # kind, dimension, vectors, two unused, is trained, metric
REBUILD = "hint: build the index anew, or give another"


@dataclass(frozen=True)
class Given:
    """A whole set, from which each fault makes another."""

    folder: Path
    encoder: MadeEncoder
    texts: tuple[str, ...]
    vectors: Any

    @property
    def index(self) -> bytes:
        return (self.folder / "docs.index").read_bytes()


Fault = Callable[[Given, Path], None]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("whole")
    encoder = make_encoder(folder)
    texts = make_texts(COUNT)
    vectors = encoder.embed(texts)
    write_set(folder, texts, vectors)
    return Given(folder, encoder, texts, vectors)


def patched(content: bytes, position: int, form: str, value: int) -> bytes:
    new = struct.pack(form, value)
    return content[:position] + new + content[position + len(new) :]


def written(given: Given, folder: Path, content: bytes) -> None:
    write_set(folder, given.texts, given.vectors)
    (folder / "docs.index").write_bytes(content)


# --- one fault each --------------------------------------------------------------------------------------------------


def other_dimension(given: Given, folder: Path) -> None:
    write_set(folder, given.texts, given.vectors[:, :32].copy())


def fewer_texts(given: Given, folder: Path) -> None:
    write_set(folder, given.texts[:-1], given.vectors)


def cut_off(given: Given, folder: Path) -> None:
    written(given, folder, given.index[:-100])


def random_bytes(given: Given, folder: Path) -> None:
    written(given, folder, np.random.default_rng(0).bytes(5000))


def of_no_bytes(given: Given, folder: Path) -> None:
    written(given, folder, b"")


def claims_many_vectors(given: Given, folder: Path) -> None:
    written(given, folder, patched(given.index, 8, "<q", 2**60))


def claims_much_data(given: Given, folder: Path) -> None:
    """As many numbers as a machine has memory for, which are not in the file."""
    written(given, folder, patched(given.index, FLAT_HEADER, "<Q", 2**36))


def crashes_faiss(given: Given, folder: Path) -> None:
    """One bit to a number for each vector, and a wrong length of what else it is made of."""
    index = faiss.index_factory(given.vectors.shape[1], "RaBitQ")
    index.train(given.vectors)
    write_set(folder, given.texts, given.vectors, index)
    whole = (folder / "docs.index").read_bytes()
    (folder / "docs.index").write_bytes(patched(whole, 48, "<i", 255))


def without_numbers(given: Given, folder: Path) -> None:
    vectors = given.vectors.copy()
    vectors[7, 3] = np.nan
    write_set(folder, given.texts, vectors)


def without_vectors(given: Given, folder: Path) -> None:
    write_set(folder, given.texts, given.vectors[:0], faiss.IndexFlatL2(given.vectors.shape[1]))


def larger_than_memory(given: Given, folder: Path) -> None:
    """A terabyte that takes no place on the disk."""
    write_set(folder, given.texts, given.vectors)
    os.truncate(folder / "docs.index", 2**40)


def metadata_cut_off(given: Given, folder: Path) -> None:
    write_set(folder, given.texts, given.vectors)
    os.truncate(folder / "docs_metadata.json", 1000)


TOLD: dict[Fault, tuple[str, str]] = {
    other_dimension: (
        "docs.index holds vectors of 32 numbers, tiny MiniLM shape, random weights gives 64",
        "hint: give the encoder that built the index with --encoder",
    ),
    fewer_texts: (
        "docs.index holds 40 vectors, but its metadata only 39 texts: they are out of step",
        "hint: build the index and its metadata anew, together",
    ),
    cut_off: ("docs.index cannot be used: the file is cut off", REBUILD),
    random_bytes: ("docs.index cannot be used: it is no FAISS index, or is newer than this FAISS", REBUILD),
    of_no_bytes: ("docs.index cannot be used: the file is cut off", REBUILD),
    claims_many_vectors: ("docs.index cannot be used: it is damaged: ", REBUILD),
    claims_much_data: ("docs.index cannot be used: the file is cut off, or damaged: it claims more data", REBUILD),
    crashes_faiss: (
        "FAISS died of SIGSEGV while searching docs.index",
        "hint: the file is damaged, or not made by FAISS: build the index anew",
    ),
    without_numbers: (
        "docs.index: vector 7 holds NaN or infinity, which no search finds",
        "hint: embed their texts again, and build the index anew",
    ),
    without_vectors: ("docs.index: the index is empty", "hint: index some documents first"),
    larger_than_memory: (
        "of memory are available, 1024 GiB for docs.index",
        "hint: close other programs, build a smaller index",
    ),
    metadata_cut_off: ("docs_metadata.json: the metadata of the index is not JSON", "hint: build the index again"),
}


def bench(folder: Path, given: Given, *more: str) -> Told:
    return run("bench-cgrag", "--index", folder / "docs.index", "--encoder", given.encoder.path, *QUICK, *more)


@pytest.fixture(scope="module")
def told(given: Given, tmp_path_factory: pytest.TempPathFactory) -> dict[Fault, Told]:
    """All of them, two at a time."""

    def tried(fault: Fault) -> Told:
        folder = tmp_path_factory.mktemp(fault.__name__)
        fault(given, folder)
        return bench(folder, given)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(TOLD, pool.map(tried, TOLD), strict=True))


@pytest.mark.parametrize("fault", TOLD)
def test_what_cannot_be_searched_is_one_line_with_a_remedy(told: dict[Fault, Told], fault: Fault) -> None:
    words, remedy = TOLD[fault]

    (error,) = told[fault].errors
    cause, hint = error.split("\n")
    assert words in cause
    assert hint.startswith(remedy)
    assert (told[fault].code, told[fault].out) == (2, "")


def test_nothing_of_it_is_saved(told: dict[Fault, Told]) -> None:
    assert saved_runs() == []


@pytest.mark.parametrize("is_named", [True, False])
def test_a_pickle_of_texts_is_refused_unread(given: Given, tmp_path: Path, is_named: bool) -> None:
    """Also where it merely lies beside the index, as older engines left it."""
    write_set(tmp_path, given.texts, given.vectors)
    pickle = (tmp_path / "docs_metadata.json").rename(tmp_path / "docs_metadata.pkl")

    ended = bench(tmp_path, given, *(("--metadata", str(pickle)) if is_named else ()))

    (error,) = ended.errors
    assert "docs_metadata.pkl: a pickle is not read, because opening one runs whatever code is in it" in error
    assert ended.code == 2


def test_no_chunk_wanted_is_refused(given: Given) -> None:
    ended = bench(given.folder, given, "--max-artifacts", "0")

    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "--max-artifacts 0: nothing would be searched" in ended.errors[0]


def test_texts_that_no_vector_belongs_to_are_a_finding_and_the_rest_is_measured(given: Given, tmp_path: Path) -> None:
    index = faiss.IndexFlatL2(given.vectors.shape[1])
    index.add(given.vectors[:-3])
    write_set(tmp_path, given.texts, given.vectors, index)

    ended = bench(tmp_path, given)

    assert ended.errors == []
    found = {finding["id"]: finding for finding in ended.result["findings"]}
    assert found["metadata-out-of-step"]["severity"] == "high"
    assert any(metric["name"] == "retrieval_latency" for metric in ended.result["metrics"])


def test_a_whole_index_has_its_recall_measured_and_gives_no_finding(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # more cost time, and are a finding, where others crowd the machine

    ended = bench(given.folder, given, "--min-relevance", "0.1")

    recall = [metric for metric in ended.result["metrics"] if metric["name"] == "recall"]
    assert [metric["labels"]["k"] for metric in recall] == ["25"]
    assert {share for trial in recall[0]["trials"] for share in trial["samples"]} == {1.0}
    assert [finding["id"] for finding in ended.result["findings"] if finding["severity"] != "info"] == []
