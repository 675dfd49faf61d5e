from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synapse_perf.analyze.cache_bounds import hit_rates
from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.retrieval_cache_findings import cache_findings
from synapse_perf.analyze.retrieval_experiments import StreamOptions, cache_specs
from synapse_perf.analyze.retrieval_plan import RetrievalRequest
from synapse_perf.benchmarks.cache_replay import BLOCK, METRICS, Cache, replay, size_of
from synapse_perf.benchmarks.query_stream import as_keys, query_stream
from synapse_perf.model import Trial
from tests.benchmarks.small_retrieval import QUERIES, prepared_set, run


def zipf(count: int, exponent: float = 1.0, length: int = 200, seed: int = 0) -> list[int]:
    return query_stream(count, {"kind": "zipf", "exponent": exponent, "length": length, "seed": seed})


# --- the stream ------------------------------------------------------------------------------------------------------


def test_a_log_is_replayed_as_it_was() -> None:
    assert query_stream(5, {"kind": "log"}) == [0, 1, 2, 3, 4]


def test_a_fresh_stream_asks_nothing_twice() -> None:
    stream = query_stream(50, {"kind": "fresh", "seed": 1})

    assert sorted(stream) == [*range(50)]
    assert stream != sorted(stream)


def test_a_drawn_stream_is_the_same_for_the_same_seed() -> None:
    assert zipf(30, seed=1) == zipf(30, seed=1)
    assert zipf(30, seed=1) != zipf(30, seed=2)
    assert len(zipf(30, length=77)) == 77


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
def test_the_frequencies_of_a_drawn_stream_fall_as_zipf_has_it(exponent: float) -> None:
    count, length = 20, 40_000
    by_rank = sorted(Counter(zipf(count, exponent, length)).values(), reverse=True)
    weights = [rank**-exponent for rank in range(1, count + 1)]
    expected = [length * weight / sum(weights) for weight in weights]

    assert by_rank == pytest.approx(expected, rel=0.15)


def test_exponent_0_prefers_no_query() -> None:
    counts = Counter(zipf(10, 0.0, 20_000)).values()

    assert max(counts) / min(counts) < 1.2


def test_equal_texts_have_one_key() -> None:
    assert as_keys(["a", "b", "a", "c", "b"]) == [0, 1, 0, 3, 1]


# --- the caches ------------------------------------------------------------------------------------------------------


def test_a_cache_computes_each_key_once_and_gives_what_it_computed() -> None:
    computed: list[str] = []

    def compute(text: str) -> str:
        computed.append(text)
        return text.upper()

    cache = Cache("result", str.casefold, compute, lambda value: value + "!")
    answers = [cache.ask(text) for text in ("a", "B", "b", "a")]

    assert answers == ["A!", "B!", "B!", "A!"]
    assert computed == ["a", "B"]
    assert cache.hits == [False, False, True, True]


def test_hits_are_those_that_stack_distances_have_without_a_bound() -> None:
    stream = zipf(30, length=150)
    cache = Cache("embedding", str, lambda text: text, lambda value: value)
    for key in stream:
        cache.ask(str(key))

    assert sum(cache.hits) / len(stream) == hit_rates(stream).unbounded


def test_every_way_gets_every_text_in_its_order_and_none_is_always_first() -> None:
    texts = [str(number) for number in range(3 * BLOCK + 4)]
    calls: list[tuple[str, str]] = []

    def way(name: str, text: str) -> str:
        calls.append((name, text))
        return name + text

    replays = replay([lambda text: way("a", text), lambda text: way("b", text)], texts)

    for name, replayed in zip("ab", replays, strict=True):
        assert [text for caller, text in calls if caller == name] == texts
        assert replayed.answers == [name + text for text in texts]
        assert len(replayed.seconds) == len(texts)
    blocks = [name for name, text in calls if int(text) % BLOCK == 0]
    assert blocks == ["a", "b", "b", "a", "a", "b", "b", "a"]


def test_an_entry_weighs_what_its_key_and_value_do() -> None:
    cache = Cache("embedding", lambda text: text, lambda text: np.zeros(384, np.float32), lambda value: value)
    cache.ask("x" * 100)

    vector = sys.getsizeof(np.zeros(384, np.float32))
    assert vector > 4 * 384
    assert cache.entry_bytes() == sys.getsizeof("x" * 100) + vector + sys.getsizeof({"x": 0})
    assert size_of(("ab", (1, 2))) > sys.getsizeof("ab") + 2 * sys.getsizeof(1)


def test_the_overhead_is_that_of_the_look_up_alone() -> None:
    def compute(text: str) -> str:
        raise AssertionError("nothing is computed")

    assert Cache("embedding", str, compute, lambda value: value).overhead_s(["a", "b"]) > 0


# --- a trial ---------------------------------------------------------------------------------------------------------


def facts_of(trial: Trial, cache: str) -> dict[str, object]:
    assert trial.failure is None, trial.failure
    return next(dict(one.facts) for one in trial.samples if one.values[0].labels["cache"] == cache)


def test_a_log_with_repeated_lines_hits_and_one_without_does_not(tmp_path: Path) -> None:
    log = [*QUERIES[:6], *QUERIES[:3], QUERIES[0].upper(), QUERIES[0]]
    searched = prepared_set(tmp_path, log)
    (spec,) = cache_specs(searched, RetrievalRequest(), StreamOptions("log"))
    repeated = run(spec, tmp_path)
    (tmp_path / "queries.jsonl").write_text("\n".join((tmp_path / "queries.jsonl").read_text().splitlines()[:6]))
    fresh = run(spec, tmp_path)

    assert (facts_of(repeated, "embedding")["hits"], facts_of(repeated, "result")["hits"]) == (4, 5)
    assert facts_of(repeated, "embedding")["differing"] == facts_of(repeated, "result")["differing"] == 0
    assert repeated.facts["keys"]["embedding"] == [0, 1, 2, 3, 4, 5, 0, 1, 2, 9, 0]
    assert repeated.facts["keys"]["result"] == [0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 0]
    assert facts_of(fresh, "embedding")["hits"] == facts_of(fresh, "result")["hits"] == 0
    six = [replace(fresh, process=number) for number in range(1, 7)]
    assert cache_findings(metrics_of(six, METRICS), six, 0.95) == []
    metrics = metrics_of([repeated], METRICS)
    assert {(one.name, one.labels["cache"]) for one in metrics} == {
        (name, cache) for name in METRICS for cache in ("embedding", "result")
    }
    assert {one.labels["stream"] for one in metrics} == {"log"}


def test_a_drawn_stream_is_as_long_as_it_is_asked_to_be(tmp_path: Path) -> None:
    (spec,) = cache_specs(prepared_set(tmp_path), RetrievalRequest(), StreamOptions("zipf", length=40))

    facts = facts_of(run(spec, tmp_path), "embedding")

    assert facts["requests"] == 40
    assert facts["hits"] == 40 - len(set(zipf(len(QUERIES), length=40)))
