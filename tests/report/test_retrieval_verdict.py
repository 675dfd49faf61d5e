"""The first sentences: the totals against their limits, and what takes most of them."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.report.document import Paragraph
from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.report.retrieval_verdict import sentences
from synapse_perf.report.sections import sections_of
from tests.report.retrieval_examples import COLD, first_retrieval, full, result, retriever, sample, uncertified
from tests.report.retrieval_examples import vectors_only as vectors


def test_cold_and_warm_have_a_sentence_each() -> None:
    assert sentences(full(), Measured(full())) == [
        "Cold: index-cold 140 ms (limit 100 ms), 49.7 % of it reading the metadata; "
        "process-cold 540 ms, 27.8 % of it importing numpy.",
        "Warm: p50 20.4 ms, p95 32.4 ms (limit 50.0 ms); embedding the query takes 91.2 % of a warm retrieval.",
    ]


def test_without_a_check_there_is_no_limit_and_without_stages_no_largest() -> None:
    unchecked = replace(retriever(), checks=())
    assert sentences(unchecked, Measured(unchecked)) == [
        "Cold: index-cold 25.6 ms, 52.7 % of it the first retrieve(); "
        "process-cold 109 ms, 51.1 % of it what no stage names.",
        "Warm: p50 10.4 ms, p95 11.0 ms.",
    ]


def test_a_start_that_was_not_proven_cold_is_not_called_cold() -> None:
    assert "(not certified cold)" in sentences(uncertified(), Measured(uncertified()))[0]


def test_vectors_alone_have_a_search_and_no_retrieval() -> None:
    assert sentences(vectors(), Measured(vectors())) == [
        "Warm: a search takes 15.6 ms; vectors alone, nothing is embedded."
    ]


def test_what_was_not_measured_has_no_sentence() -> None:
    assert sentences(result(), Measured(result())) == []
    cold = result(metrics=first_retrieval("cold", COLD))
    assert len(sentences(cold, Measured(cold))) == 1


def test_a_stage_that_nobody_knows_is_named_as_it_is() -> None:
    found = result(metrics=first_retrieval("cold", {"re_ranking": 0.3, "import.torch": 0.1}))
    assert "75.0 % of it re ranking" in sentences(found, Measured(found))[0]


def test_the_verdict_comes_first_and_the_sentences_follow_the_reason() -> None:
    shown = [block.text for block in sections_of(full())[0].blocks if isinstance(block, Paragraph)]
    assert shown[0].startswith("FAIL: 1 target missed")
    assert [text[:5] for text in shown[2:4]] == ["Cold:", "Warm:"]


def test_a_samples_figures_are_told_once() -> None:
    shown = [block.text for block in sections_of(sample())[0].blocks if isinstance(block, Paragraph)]
    assert shown[0] == "NOT MEASURED: works here (sample, not your system)"
    assert [text[:5] for text in shown[1:3]] == ["Cold:", "Warm:"]
