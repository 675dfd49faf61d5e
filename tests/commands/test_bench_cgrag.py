"""bench-cgrag from the command line to the report, on five documents and a tiny encoder, in real processes."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import jsonschema
import numpy as np
import pytest

from synapse_perf.retrieval.embedding_cache import DIGEST_BYTES, HEADER_BYTES
from synapse_perf.retrieval.queries import normalised
from tests.benchmarks.retrieval_sets import MadeEncoder, make_encoder, make_texts
from tests.faults.program import Told, run, saved_runs, started

CHUNKS = ("--chunk-size", "100", "--chunk-overlap", "10")
QUICK = ("--no-openings", "--no-caches", "--omp-threads", "1", "--threads", "1", "--seed", "1", "--quiet")
RECORD_BYTES = DIGEST_BYTES + 4 * 64


@dataclass(frozen=True)
class Place:
    """What a run needs, and where it keeps things."""

    corpus: Path
    encoder: MadeEncoder
    cache: Path
    state: Path

    @property
    def env(self) -> dict[str, str]:
        return {"SYNAPSE_PERF_CACHE_DIR": str(self.cache), "SYNAPSE_PERF_STATE_DIR": str(self.state)}

    @property
    def searched(self) -> tuple[str, ...]:
        return ("--corpus", str(self.corpus), "--encoder", str(self.encoder.path))

    def bench(self, *arguments: str | Path, searched: tuple[str, ...] | None = None) -> Told:
        source = self.searched if searched is None else searched
        return run("bench-cgrag", *source, *CHUNKS, *QUICK, *arguments, env=self.env)

    @property
    def sets(self) -> list[Path]:
        return sorted((self.cache / "retrieval").glob("*"))

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Everything in the cache, with its time and content."""
        found = [path for path in self.cache.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.cache)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def write_corpus(folder: Path, documents: int = 5, sections: int = 6, words: int = 120) -> Path:
    """Markdown with headings over passages that do not repeat their words' order."""
    folder.mkdir()
    for document in range(documents):
        parts = [f"# Document {document}"]
        for section in range(sections):
            number = document * sections + section
            parts += ["## " + make_texts(1, 5, 10_000 + number)[0], make_texts(1, words, number)[0]]
        (folder / f"{document}.md").write_text("\n\n".join(parts) + "\n")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("bench-cgrag")
    return Place(write_corpus(folder / "docs"), make_encoder(folder), folder / "cache", folder / "state")


@pytest.fixture(scope="module")
def measured(place: Place) -> Told:
    output = place.state.parent / "result.json"
    return place.bench("--trials", "6", "--state", "cold,warm", "--format", "json", "-o", output)


def latencies(told: Told, **labels: str) -> dict[str, dict[str, Any]]:
    """The metrics of a state by stage."""
    found = [m for m in told.result["metrics"] if m["name"] == "retrieval_latency"]
    return {
        m["labels"]["stage"]: m
        for m in found
        if {name: value for name, value in m["labels"].items() if name not in ("stage", "cache")} == labels
    }


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_sample_works_here_and_is_no_verdict(measured: Told) -> None:
    """The weights of the encoder are random."""
    assert measured.code == 0, measured.err
    assert measured.result["subject"] == "sample"
    assert {(check["target"], check["status"]) for check in measured.result["checks"]} == {
        ("cgrag-cold", "not-measured"),
        ("cgrag-warm", "not-measured"),
    }


def test_stdout_is_one_document_that_the_schema_describes_and_the_file_is_the_same(
    place: Place, measured: Told
) -> None:
    document = json.loads(measured.out)
    schema = run("schema", env=place.env).result
    jsonschema.validate(document, schema)

    assert json.loads((place.state.parent / "result.json").read_text()) == document
    assert document["failures"] == []


def test_every_state_that_was_asked_for_has_its_processes_and_no_other(measured: Told) -> None:
    states = {
        m["labels"]["state"]: m["summary"]["processes"]
        for m in measured.result["metrics"]
        if m["labels"].get("stage") == "total"
    }
    assert states == {"cold": 6, "warm": 6}
    assert not any("open" in m["labels"] or "variant" in m["labels"] for m in measured.result["metrics"])


@pytest.mark.parametrize("state", ["cold", "warm"])
def test_the_stages_are_the_whole_of_each_sample(measured: Told, state: str) -> None:
    stages = latencies(measured, state=state)
    total = stages.pop("total")
    assert set(stages) == {"embed", "glue", "search", "filter", "pack", *(("open", "metadata") * (state == "cold"))}

    for number, trial in enumerate(total["trials"]):
        parts = [m["trials"][number]["samples"] for m in stages.values()]
        assert [sum(values) for values in zip(*parts, strict=True)] == pytest.approx(trial["samples"], abs=1e-9)


def test_cold_retrievals_carry_their_certificate(measured: Told) -> None:
    total = latencies(measured, state="cold")["total"]
    facts = [trial["facts"] for trial in total["trials"]]

    is_proven = "cache" not in total["labels"]
    assert {fact["cold_proven"][0] for fact in facts} == {is_proven}
    assert not is_proven or max(fact["resident_before"][0] for fact in facts) <= 0.01


def test_what_was_searched_is_described_with_a_digest(place: Place, measured: Told) -> None:
    workload = measured.result["workload"]

    assert workload["searched"]["label"] == "docs"
    assert workload["digest"] == workload["searched"]["digest"] == place.sets[0].name
    assert workload["encoder"]["dimension"] == 64
    assert workload["parameters"]["max_artifacts"] == 5
    assert str(place.corpus.parent) not in measured.out, "a path of this machine is in the result"


def test_the_last_run_is_shown_again(place: Place, measured: Told) -> None:
    again = run("report", "last", env=place.env)

    assert again.code == 0
    assert "works here (sample, not your system)" in again.out
    assert "bench-cgrag" in again.out


# --- the set that was prepared ---------------------------------------------------------------------------------------


def test_the_set_holds_every_chunk_and_no_query_is_in_a_passage(place: Place, measured: Told) -> None:
    (folder,) = place.sets
    contents = [chunk["content"] for chunk in json.loads((folder / "docs_metadata.json").read_text())["chunks"]]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    index = faiss.read_index(str(folder / "docs.index"))

    assert index.ntotal == len(contents) == len(np.load(folder / "vectors.npy"))
    assert len(queries) == len(np.load(folder / "query_vectors.npy")) == 30  # a heading each
    texts = [normalised(content) for content in contents]
    assert not any(normalised(query["query"]) in text for query in queries for text in texts)
    assert all(query["relevant"] for query in queries)


def test_a_prepared_set_is_not_prepared_again(place: Place, measured: Told) -> None:
    before = place.files()
    again = place.bench("--trials", "1", "--state", "warm", "--format", "json")

    assert again.code == 0, again.err
    assert place.files() == before
    assert again.result["workload"]["digest"] == measured.result["workload"]["digest"]


def test_a_dry_run_prepares_nothing_and_saves_nothing(place: Place, tmp_path: Path) -> None:
    elsewhere = Place(place.corpus, place.encoder, tmp_path / "cache", tmp_path / "state")
    told = elsewhere.bench("--dry-run")

    assert told.code == 0, told.err
    assert "nothing was measured" in told.out
    assert "30 queries would be embedded first" in told.out
    assert elsewhere.files() == {}
    assert not list(elsewhere.state.rglob("*.json"))


def test_a_dry_run_of_a_retriever_starts_none_of_its_code_and_writes_nothing(place: Place, tmp_path: Path) -> None:
    elsewhere = Place(place.corpus, place.encoder, tmp_path / "cache", tmp_path / "state")
    told = elsewhere.bench("--dry-run", searched=("--retriever", "not_there:build"))

    assert told.code == 0, told.err
    assert elsewhere.files() == {}


def test_a_dry_run_leaves_a_prepared_set_as_it_is(place: Place, measured: Told) -> None:
    before = place.files()
    assert place.bench("--dry-run").code == 0
    assert place.files() == before


def test_an_interrupt_while_texts_are_embedded_keeps_them_and_the_next_run_embeds_the_rest(
    place: Place, tmp_path: Path
) -> None:
    many = Place(write_corpus(tmp_path / "docs", 8, 6, 1800), place.encoder, tmp_path / "cache", tmp_path / "state")
    arguments = ("bench-cgrag", *many.searched, *CHUNKS, *QUICK, "--trials", "1", "--state", "warm")

    def kept() -> bytes:
        files = list((many.cache / "embeddings").glob("*.vectors"))
        return files[0].read_bytes() if files else b""

    with started(*arguments, env=many.env) as running:
        running.wait_for(lambda: len(kept()) > HEADER_BYTES + 20 * RECORD_BYTES)
        running.send(signal.SIGINT)
        told = running.end()
    assert told.code == 130, told.err
    assert told.out == ""
    before = kept()

    again = run(*arguments, "--format", "json", env=many.env)
    assert again.code == 0, again.err
    facts = again.result["workload"]["searched"]
    whole = before[: len(before) - (len(before) - HEADER_BYTES) % RECORD_BYTES]
    assert kept().startswith(whole)
    assert len(kept()) == HEADER_BYTES + (facts["texts"] + facts["queries"]) * RECORD_BYTES
    assert len(whole) < len(kept()), "it was interrupted too late to show anything"


# --- what is wrong is told before anything is measured ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--corpus", "docs", "--index", "x.index"), "--corpus and --index name different things to search"),
        (("--corpus", "docs", "--metadata", "x.json"), "--metadata belongs to --index"),
        (("--state", "lukewarm"), "--state lukewarm: 'lukewarm' is not known"),
        (("--open", "telepathy"), "--open telepathy: 'telepathy' is not known"),
        (("--max-artifacts", "0"), "--max-artifacts 0: nothing would be searched"),
        (("--omp-threads", "x"), "--omp-threads x: not a list of whole numbers"),
        (("--min-relevance", "7"), "Input should be less than or equal to 1"),
        (("--corpus", "missing"), "missing"),
        (("--index", "missing.index"), "missing.index: no such index file"),
        (("--vectors", "missing.npy"), "missing.npy: no such file"),
        (("--engine", "missing"), "missing"),
        (("--retriever", "nowhere"), "nowhere"),
        (("--corpus", "docs", "--encoder", "missing.gguf"), "missing.gguf"),
        (("--corpus", "docs", "--queries", "missing.txt"), "missing.txt"),
        (("--corpus", "docs", "--chunk-size", "0"), "0"),
        (("--corpus", "empty"), "empty is an empty folder"),
        (("--corpus", "binaries"), "nothing to index: 1 binary (it holds NUL bytes), 1 unknown file type"),
        (("--synthetic", "5"), "Input should be greater than or equal to 100"),
        (("--target", "cgrag-cold>1s"), "cgrag-cold is a limit from the other side"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    place: Place, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "binaries").mkdir()
    for name in ("program.exe", "notes.md"):
        (tmp_path / "binaries" / name).write_bytes(bytes(range(256)))
    (tmp_path / "docs").symlink_to(place.corpus)
    needs_encoder = "--encoder" not in arguments and not {"--vectors", "--synthetic", "--retriever"} & set(arguments)
    encoder = ("--encoder", str(place.encoder.path)) if needs_encoder else ()
    env = {**place.env, "SYNAPSE_PERF_CACHE_DIR": str(tmp_path / "cache")}

    done = run("bench-cgrag", *arguments, *encoder, "--quiet", env=env, cwd=tmp_path)

    assert done.code == 2, done
    assert told in " ".join(done.err.replace("│", " ").split())
    assert done.out == ""
    assert not (tmp_path / "cache" / "retrieval").exists()
    assert saved_runs() == []


def test_a_factory_that_faiss_refuses_is_one_line_and_what_was_embedded_stays(place: Place, tmp_path: Path) -> None:
    elsewhere = Place(place.corpus, place.encoder, tmp_path / "cache", tmp_path / "state")
    done = elsewhere.bench("--factory", "Nonsense8")

    assert done.code == 2
    assert "FAISS cannot build 'Nonsense8'" in done.err
    assert "choose another --factory" in done.err
    assert (tmp_path / "cache" / "embeddings").exists()


def test_a_damaged_index_is_one_line_and_exit_code_2(place: Place, measured: Told, tmp_path: Path) -> None:
    (folder,) = place.sets
    (tmp_path / "docs.index").write_bytes((folder / "docs.index").read_bytes()[:500])
    (tmp_path / "docs_metadata.json").write_bytes((folder / "docs_metadata.json").read_bytes())
    index = ("--index", str(tmp_path / "docs.index"), "--encoder", str(place.encoder.path))

    done = run("bench-cgrag", *index, *QUICK, "--trials", "1", "--state", "warm", env=place.env)

    assert done.code == 2, done
    assert "docs.index" in done.err
    assert done.out == ""
