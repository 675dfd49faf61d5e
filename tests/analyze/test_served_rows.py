"""What a server lost, what it does not count, and whether answers are as long as was asked: told, and only then."""

from __future__ import annotations

from typing import Any

from synapse_perf.analyze.served_rows import length_warnings, lost_warnings, token_warnings
from synapse_perf.model import Measurement, Sample, Trial, TrialSpec


def trial(*facts: dict[str, Any], arm: str = "fast", is_fixed: bool = False, benchmark: str = "served_query") -> Trial:
    spec = TrialSpec(benchmark, arm, {"tier": "fast"}, {"is_fixed_length": is_fixed})
    samples = tuple(Sample((Measurement("query_latency", 1.0, {}),), one) for one in facts)
    return Trial(spec, 1, samples, wall_s=1.0)


def answered(told: int | None = 8, asked: int = 8) -> dict[str, Any]:
    return {"lost": False, "generated_tokens": told, "asked_tokens": asked, "reused_tokens": 0}


def lost(reason: str) -> dict[str, Any]:
    return {"lost": True, "lost_told": reason}


# --- lost queries ----------------------------------------------------------------------------------------------------


def test_nothing_lost_is_not_told() -> None:
    assert lost_warnings([trial(answered())]) == []


def test_lost_queries_are_counted_for_each_tier_with_the_commonest_reason() -> None:
    fast = trial(answered(), lost("503"), lost("503"), lost("broke off"))
    deep = trial(lost("timed out"), arm="deep")
    assert lost_warnings([fast, deep]) == [
        "fast: 3 of 4 queries were lost and count as past the limit: 503 (2 times, and 1 other reason)",
        "deep: 1 of 1 queries were lost and count as past the limit: timed out",
    ]


def test_what_is_no_query_to_a_server_is_left_alone() -> None:
    assert lost_warnings([trial(lost("503"), benchmark="tier_latency")]) == []


# --- what is not counted ---------------------------------------------------------------------------------------------


def test_a_server_that_tells_everything_is_not_told_of() -> None:
    assert token_warnings([trial(answered())]) == []


def test_tokens_and_cached_tokens_that_nobody_counts_are_told() -> None:
    told = token_warnings([trial({"lost": False, "generated_tokens": None, "reused_tokens": None})])
    assert [text.partition(":")[0] for text in told] == [
        "the server does not count its tokens",
        "the server does not tell what it found in its KV cache",
    ]


def test_where_all_queries_are_lost_nothing_is_said_of_tokens() -> None:
    assert token_warnings([trial(lost("503"))]) == []


# --- lengths ---------------------------------------------------------------------------------------------------------


def test_answers_as_long_as_asked_are_not_told_of() -> None:
    assert length_warnings([trial(answered(), answered(), is_fixed=True)]) == []


def test_a_fixed_length_that_is_not_obeyed_is_told_with_the_lengths() -> None:
    (told,) = length_warnings([trial(answered(), answered(3), answered(5), is_fixed=True)])
    assert told.startswith("fast: 2 of 3 answers (3 to 5 tokens) are shorter than the fixed length")


def test_an_end_of_its_own_is_fine_where_no_length_is_fixed() -> None:
    assert length_warnings([trial(answered(3))]) == []


def test_more_tokens_than_asked_are_told_always() -> None:
    (told,) = length_warnings([trial(answered(9), answered())])
    assert told == "fast: 1 of 2 answers (9 tokens) are longer than was asked: max_tokens is not obeyed"


def test_chunks_stand_for_tokens_that_nobody_counts() -> None:
    uncounted = {"lost": False, "generated_tokens": None, "asked_tokens": 8}
    assert length_warnings([trial({**uncounted, "chunks": 8}, lost("503"), is_fixed=True)]) == []
    (told,) = length_warnings([trial({**uncounted, "chunks": 2}, is_fixed=True)])
    assert told.startswith("fast: 1 of 1 answers (2 chunks) may be shorter than the fixed length")
