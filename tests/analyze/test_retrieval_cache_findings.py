from __future__ import annotations

import ast
from collections.abc import Sequence

import pytest

from synapse_perf.analyze.retrieval_cache_findings import cache_findings
from synapse_perf.model import Fact, Finding, Metric, Trial, TrialSpec
from tests.analyze.made_loads import SPREAD, made

KEYS = [0, 1, 2, 0, 0, 1, 3, 2] * 10  # 4 different ones


def saving(
    cache: str, saved_s: float, *, stream: str = "log", hits: int = 60, spread: Sequence[float] = SPREAD, **facts: Fact
) -> list[Metric]:
    """The metrics of one cache on a stream of 100 queries that take 10 ms without it, in six processes."""
    labels = {"cache": cache, "stream": stream}
    known: dict[str, Fact] = {
        "requests": 100,
        "hits": hits,
        "without_s": 0.010,
        "saved_per_hit_s": 0.009 if hits else None,
        "overhead_s": 1e-6,
        "differing": 0,
        **facts,
    }
    return [
        made("cache_saving", [[saved_s * factor] for factor in spread], labels, [known] * 6, "s", "higher"),
        made("cache_hit_rate", [[hits / 100]] * 6, labels, unit="1", better="higher"),
        made("cache_entry_size", [[1800.0]] * 6, labels, unit="B"),
    ]


def trial(stream: str = "log", keys: Sequence[int] = KEYS) -> Trial:
    spec = TrialSpec("retrieval_caches", "caches", {"stream": stream}, {})
    return Trial(spec, 1, (), 1.0, {"keys": {"embedding": list(keys), "result": list(keys)}})


def findings(*metrics: list[Metric], trials: Sequence[Trial] = ()) -> dict[str, Finding]:
    found = cache_findings([one for each in metrics for one in each], trials, 0.95)
    return {one.id: one for one in found}


def test_repeated_queries_without_a_cache_are_found_with_what_one_saves() -> None:
    found = findings(saving("embedding", 0.005))["no-embedding-cache"]

    assert found.severity == "high"
    assert found.gain is not None
    assert found.gain.measured
    assert found.gain.value == pytest.approx(0.005)
    assert found.gain.low is not None
    assert 0.0048 < found.gain.low < 0.005
    assert "60.0 % of the queries" in found.cause
    assert "5.00 ms of 10.0 ms" in found.cause
    assert "< 0.3" in found.alert


def test_the_evidence_tells_from_which_hit_rate_on_it_pays() -> None:
    evidence = findings(saving("embedding", 0.005, saved_per_hit_s=0.009, overhead_s=0.001))[
        "no-embedding-cache"
    ].evidence

    assert evidence["break_even_hit_rate"] == pytest.approx(0.1)
    assert evidence["entry_bytes"] == 1800


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param(saving("embedding", 0.00002, hits=0, stream="fresh"), id="no query comes again"),
        pytest.param(saving("embedding", 0.005, hits=0, stream="fresh"), id="faster, but never by a hit"),
        pytest.param(saving("embedding", 0.0002), id="a trifle"),
        pytest.param(saving("embedding", -0.001), id="slower"),
        pytest.param(saving("embedding", 0.002, spread=(-1, 0.1, 0.5, 1, 2, 3)), id="within the noise"),
        pytest.param(saving("embedding", 0.005, spread=SPREAD[:5]), id="five processes"),
    ],
)
def test_without_a_saving_beyond_doubt_there_is_no_finding(metrics: list[Metric]) -> None:
    assert findings(metrics) == {}


def test_a_drawn_stream_is_an_assumption_and_weighs_less() -> None:
    found = findings(saving("embedding", 0.005, stream="zipf-1"))["no-embedding-cache"]

    assert found.severity == "low"
    assert "drawn after Zipf (exponent 1)" in found.cause


def test_a_cache_of_answers_counts_for_what_it_saves_beyond_one_of_vectors() -> None:
    more = findings(saving("embedding", 0.005), saving("result", 0.008))
    same = findings(saving("embedding", 0.005), saving("result", 0.0051))

    assert more["no-result-cache"].gain is not None
    assert more["no-result-cache"].gain.value == pytest.approx(0.003)
    assert "no-result-cache" not in same


def test_answers_that_a_cache_gets_wrong_are_in_the_evidence() -> None:
    found = findings(saving("embedding", 0.001), saving("result", 0.008, differing=2))["no-result-cache"]

    assert found.evidence["answers_that_differ"] == 12


def test_the_bound_is_the_smallest_that_keeps_the_hit_rate() -> None:
    found = findings(saving("embedding", 0.005), trials=[trial()])

    bound = found["cache-bound"]
    assert bound.severity == "info"
    assert bound.evidence["embedding"]["smallest_bound"] == 4
    assert bound.evidence["embedding"]["hit_rates"] == {"1": 10 / 80, "2": 10 / 80, "4": 76 / 80}
    assert "4 query vectors (7.03 KiB)" in bound.cause
    assert "maxsize=4" in found["no-embedding-cache"].change


def test_the_change_is_python() -> None:
    found = findings(saving("embedding", 0.003), saving("result", 0.009))

    for finding in found.values():
        ast.parse(finding.change)


def test_a_stream_without_repetitions_has_no_bound() -> None:
    fresh = saving("embedding", 0.0, hits=0, stream="fresh")

    assert findings(fresh, trials=[trial("fresh", range(40))]) == {}


def test_streams_are_judged_apart() -> None:
    metrics = [*saving("embedding", 0.005), *saving("embedding", 0.0, hits=0, stream="fresh")]

    found = cache_findings(metrics, [trial(), trial("fresh", range(40))], 0.95)

    assert [(one.id, one.evidence["stream"]) for one in found] == [
        ("no-embedding-cache", "log"),
        ("cache-bound", "log"),
    ]


def test_nothing_measured_gives_nothing() -> None:
    assert findings() == {}
