"""Options before the profile before the engine before the defaults, and what makes no sense is told with what would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.analyze.retrieval_plan import OPEN_MODES, STATES, RetrievalRequest
from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.retrieval_options import RetrievalOptions, SourceOptions
from synapse_perf.commands.retrieval_request import retrieval_request, sources_of
from synapse_perf.engine import EngineSettings
from synapse_perf.errors import InputError
from synapse_perf.profiles import BenchCgragSettings

ENGINE = EngineSettings(4000, 0.5, 9, 256, 20, "all-MiniLM-L6-v2", {})


def requested(
    options: RetrievalOptions | None = None,
    settings: BenchCgragSettings | None = None,
    engine: EngineSettings | None = None,
    common: CommonOptions | None = None,
) -> RetrievalRequest:
    return retrieval_request(
        common or CommonOptions(), options or RetrievalOptions(), settings or BenchCgragSettings(), engine
    )


def test_without_a_word_everything_is_as_in_the_engine() -> None:
    found = requested()

    assert (found.max_artifacts, found.k, found.min_relevance, found.token_budget) == (5, 25, 0.7, 8000)
    assert (found.search, found.states, found.open_modes) == ({}, STATES, OPEN_MODES)
    assert found.wants_openings


def test_an_option_goes_before_the_profile_and_that_before_the_engine() -> None:
    settings = BenchCgragSettings(max_artifacts=7, min_relevance=0.1)
    found = requested(RetrievalOptions(max_artifacts=3), settings, ENGINE)

    assert (found.max_artifacts, found.min_relevance, found.token_budget) == (3, 0.1, 4000)


def test_a_value_of_nought_is_a_value() -> None:
    found = requested(RetrievalOptions(min_relevance=0.0, omp_threads="0"), BenchCgragSettings(min_relevance=0.5))

    assert found.min_relevance == 0.0
    assert found.omp_threads == (0,)


def test_lists_keep_their_order_and_name_everything_once() -> None:
    found = requested(
        RetrievalOptions(open_modes=" ifc, read,ifc", states="warm,cold", omp_threads="4, 1,4", threads="2")
    )

    assert (found.open_modes, found.states) == (("ifc", "read"), ("warm", "cold"))
    assert (found.omp_threads, found.encoder_threads) == ((4, 1), (2,))


def test_the_profile_decides_where_no_option_does() -> None:
    settings = BenchCgragSettings(
        open=("mmap",), states=("cold",), omp_threads=(2,), threads=(3,), nprobe=8, ef_search=9
    )
    found = requested(settings=settings)

    assert (found.open_modes, found.states, found.omp_threads, found.encoder_threads) == (
        ("mmap",),
        ("cold",),
        (2,),
        (3,),
    )
    assert found.search == {"nprobe": 8, "efSearch": 9}
    assert requested(RetrievalOptions(nprobe=2), settings).search["nprobe"] == 2


def test_the_users_interpreter_and_whether_ways_to_open_are_measured() -> None:
    found = requested(RetrievalOptions(openings=False), common=CommonOptions(python=Path("/opt/py")))

    assert (found.python, found.wants_openings) == ("/opt/py", False)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RetrievalOptions(max_artifacts=0), "--max-artifacts 0: nothing would be searched"),
        (RetrievalOptions(max_artifacts=-3), "--max-artifacts -3: nothing would be searched"),
        (RetrievalOptions(min_relevance=float("nan")), "--min-relevance nan is no cosine"),
        (RetrievalOptions(states="cold,hot"), "--state cold,hot: 'hot' is not known"),
        (RetrievalOptions(states=""), "--state : '' is not known"),
        (RetrievalOptions(open_modes="read;mmap"), "--open read;mmap: 'read;mmap' is not known"),
        (RetrievalOptions(omp_threads="x"), "--omp-threads x: not a list of whole numbers"),
        (RetrievalOptions(omp_threads="1,,2"), "--omp-threads 1,,2: not a list of whole numbers"),
        (RetrievalOptions(threads="-1"), "--threads -1: threads go from 0 to 1024"),
        (RetrievalOptions(threads="99999"), "--threads 99999: threads go from 0 to 1024"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_would(options: RetrievalOptions, told: str) -> None:
    with pytest.raises(InputError) as caught:
        requested(options)

    assert caught.value.message == told
    assert caught.value.remedy


def test_a_value_of_the_engine_that_makes_no_sense_is_named_too() -> None:
    with pytest.raises(InputError, match="--max-artifacts 0: nothing"):
        requested(engine=replace(ENGINE, max_artifacts=0))


# --- what is searched ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (SourceOptions(corpus=Path("a"), index=Path("b")), "--corpus and --index name different things to search"),
        (SourceOptions(engine=Path("a"), retriever="a:b"), "--engine and --retriever name different things"),
        (SourceOptions(vectors=Path("a"), synthetic=100), "--vectors and --synthetic name different things"),
        (SourceOptions(metadata=Path("a")), "--metadata belongs to --index"),
        (SourceOptions(metadata=Path("a"), corpus=Path("b")), "--metadata belongs to --index"),
    ],
)
def test_two_things_cannot_be_searched(source: SourceOptions, told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}"):
        sources_of(source, BenchCgragSettings())


def test_an_option_replaces_the_source_of_the_profile_whatever_it_is() -> None:
    settings = BenchCgragSettings(index="mine.index", metadata="mine.json", queries="q.txt", encoder="e.gguf")
    found = sources_of(SourceOptions(corpus=Path("docs")), settings)

    assert (found.corpus, found.index, found.metadata) == (Path("docs"), None, None)
    assert (found.queries, found.encoder) == (Path("q.txt"), "e.gguf")


def test_the_source_of_the_profile_is_searched_where_no_option_names_one() -> None:
    settings = BenchCgragSettings(index="mine.index", metadata="mine.json", chunk_size=64)
    found = sources_of(SourceOptions(queries=Path("other.txt")), settings)

    assert (found.index, found.metadata) == (Path("mine.index"), Path("mine.json"))
    assert (found.queries, found.chunk_size) == (Path("other.txt"), 64)


def test_another_index_does_not_get_the_metadata_of_the_profiles() -> None:
    settings = BenchCgragSettings(index="mine.index", metadata="mine.json")
    found = sources_of(SourceOptions(index=Path("other.index")), settings)

    assert (found.index, found.metadata) == (Path("other.index"), None)
