"""Candidates: the outcome of a tuning with how sure it is, and the picture of recall against latency."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from synapse_perf.analyze.tuning import Advice, Capacity, Spread, Tuning
from synapse_perf.model import Result
from synapse_perf.report.document import Scatter, Section
from synapse_perf.report.retrieval_candidates import Candidate, pareto
from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.report.retrieval_tuning import advice, tuning_of, tuning_section
from synapse_perf.report.retrieval_verdict import sentences
from tests.report.retrieval_blocks import notes, tables, texts
from tests.report.retrieval_examples import result
from tests.report.retrieval_experiment_examples import CANDIDATES, candidates, tuned, tuning


def section_of(shown: Result) -> Section:
    found = tuning_section(Measured(shown), shown)
    assert found is not None
    return found


def told(changed: Tuning) -> Section:
    return section_of(replace(tuned(), workload={"tuning": changed.as_json()}))


def measurements(count: int | None = None) -> Result:
    return result(metrics=tuple(candidates())[:count])


def plot(section: Section) -> Scatter | None:
    return next((block for block in section.blocks if isinstance(block, Scatter)), None)


def candidate(recall: float, p95_s: float) -> Candidate:
    return Candidate("i", "", recall, None, None, p95_s)


# --- with an outcome -------------------------------------------------------------------------------------------------


def test_the_outcome_is_read_back_from_a_saved_result() -> None:
    assert tuning_of(tuned()) == tuning()


def test_the_reason_comes_first_and_the_advice_is_a_sentence_of_the_verdict() -> None:
    assert texts(section_of(tuned())).startswith("The current index finds 94.0 %")
    assert "Index: change to IVF1024,SQ8 nprobe=8." in sentences(tuned(), Measured(tuned()))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("keep", "keep what you have"),
        ("none", "none that was tried keeps to the budget"),
        ("unfinished", "the race was not finished"),
    ],
)
def test_every_advice_has_words(found: Advice, words: str) -> None:
    assert advice(replace(tuning(), advice=found)) == words


def test_winner_and_runner_up_are_named_with_the_interval_of_their_difference() -> None:
    assert notes(section_of(tuned())) == [
        "the fastest within the budget",
        "the runner-up, p95 248 µs above the fastest (95 % 231–267 µs)",
        "not chosen: finds 94.0 %",
        "not chosen: 106.7 times as slow",
    ]


def test_a_difference_that_holds_none_is_told_as_none() -> None:
    close = notes(told(replace(tuning(), difference=Spread(0.000001, -0.000002, 0.000004))))
    assert "the runner-up, p95 not told apart from the fastest (95 % -2.00 µs to 4.00 µs)" in close
    assert "the runner-up, p95 1.00 µs above the fastest" in notes(told(replace(tuning(), difference=Spread(1e-6))))


def test_the_table_has_the_front_and_what_was_in_the_final() -> None:
    rows = tables(section_of(tuned()))[0]
    assert [row[1] for row in rows] == ["IVF1024,SQ8 nprobe=8", "HNSW32 efSearch=64", "current", "Flat"]
    assert rows[0] == [
        "a", "IVF1024,SQ8 nprobe=8", "0.971", "0.967–0.975", "90.0 µs", "40.8 MiB", "36.0 ms", "41.0 s",
    ]  # fmt: skip


def test_what_bounds_the_winner_and_where_the_budget_breaks() -> None:
    text = texts(section_of(tuned()))
    # By hand: 310 kB at 9.1 GB/s are 34.1 µs of 72 µs, 47.3 %.
    assert "reads 303 KiB a query, 34.1 µs at the least; it is bound by memory" in text
    assert "memory 47.3 %" in text
    assert "The latency budget breaks at about 6 120 000 vectors (4 310 000 to 8 690 000)" in text
    assert "Not built in full: PQ: finds 81.0 % on 10,000 vectors; RaBitQ and HNSW: not reached" in text


def test_a_capacity_that_cannot_be_told_says_why() -> None:
    unknown = Capacity(None, None, None, "3 sizes are needed", ())
    assert "At how many vectors the latency budget breaks: 3 sizes are needed" in texts(
        told(replace(tuning(), capacity=unknown))
    )
    assert "budget breaks" not in texts(told(replace(tuning(), capacity=None)))


def test_the_plot_has_every_setting_and_the_lines_that_were_asked_for() -> None:
    drawn = plot(section_of(tuned()))
    assert drawn is not None
    assert sorted(point.mark for point in drawn.points) == [*".....", *"abcd"]
    assert drawn.x_guide is not None
    assert drawn.y_guide is not None


def test_an_outcome_of_another_version_is_told_by_its_measurements() -> None:
    other = replace(tuned(), workload={"tuning": {"rows": [{"index": "Flat"}]}})
    assert "9 settings were measured" in texts(section_of(other))


def test_all_measurements_of_candidates_are_shown() -> None:
    for shown in (tuned(), measurements()):
        found = Measured(shown)
        tuning_section(found, shown)
        assert found.left() == []


# --- from the measurements alone -------------------------------------------------------------------------------------


def test_beaten_is_who_is_no_better_in_anything() -> None:
    found = [candidate(recall, p95_s) for recall, p95_s in product((0.9, 0.95, 1.0), (0.001, 0.002))]
    assert pareto(found) == [candidate(1.0, 0.001)]
    assert len(pareto([candidate(0.9, 0.001), candidate(0.95, 0.002)])) == 2
    assert len(pareto([candidate(0.9, 0.001), candidate(0.9, 0.001)])) == 2  # equal ones do not beat each other


def test_the_candidates_go_from_the_fastest_on_and_end_with_what_there_is_now() -> None:
    rows = tables(section_of(measurements()))[0]
    assert [row[0] for row in rows] == list("abcdefg")
    assert rows[-1][1] == "current"
    assert rows[1][1:] == ["IVF1024,SQ8 nprobe=8", "0.971", "0.967–0.975", "90.0 µs", "40.8 MiB", "", "41.0 s"]


def test_a_candidate_that_had_not_all_vectors_is_counted_and_not_compared() -> None:
    text = texts(section_of(measurements()))
    assert f"{len(CANDIDATES)} settings were measured on all 100000 vectors" in text
    assert "1 other had only a part of the vectors." in text


def test_without_a_budget_there_are_no_lines_and_of_two_points_no_plot() -> None:
    drawn = plot(section_of(measurements()))
    assert drawn is not None
    assert (drawn.x_guide, drawn.y_guide) == (None, None)
    assert plot(section_of(measurements(2))) is None


def test_without_candidates_there_is_no_section() -> None:
    assert tuning_section(Measured(result()), result()) is None
