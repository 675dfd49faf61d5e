"""Load: each way with its lowest load, its knee and the load beyond."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.report.retrieval_load import load_section
from tests.report.retrieval_blocks import measured, notes, tables, texts
from tests.report.retrieval_experiment_examples import load, step


def test_three_loads_of_each_way_with_the_knee_between() -> None:
    rows = tables(load_section(measured(*load())))[0]
    assert [row[0] for row in rows if row[0]] == ["on-the-loop", "to-thread", "bounded"]
    assert [(row[1], row[-1]) for row in rows[:3]] == [("0.25×", ""), ("0.9×", "knee"), ("1.1×", "growing")]
    assert rows[2][2:4] == ["88.0/s", "72.0/s"]


def test_all_of_it_is_shown_so_no_row_is_left_for_the_last_table() -> None:
    found = measured(*load())
    load_section(found)
    assert found.left() == []


def test_answers_are_compared_with_those_of_the_queries_alone() -> None:
    assert "Each of 3600 requests got the same answer as its query alone." in texts(load_section(measured(*load())))
    throughput, *others = step({"strategy": "to-thread", "load": "0.5"}, 0.5, 1.1, 0.001)
    first, *rest = throughput.trials
    facts = {**first.facts, "differing": (2,)}
    wrong = replace(throughput, trials=(replace(first, facts=facts), *rest))
    section = load_section(measured(wrong, *others))
    assert "Of 240 requests 2 got another answer than their query alone" in texts(section)


def test_answers_that_cannot_be_compared_are_not_called_the_same() -> None:
    throughput, *others = step({"strategy": "to-thread", "load": "0.5"}, 0.5, 1.1, 0.001)
    trials = [replace(one, facts={**one.facts, "incomparable": (40,)}) for one in throughput.trials]
    told = texts(load_section(measured(replace(throughput, trials=tuple(trials)), *others)))
    assert "0 of 240 requests failed. Answers are not compared" in told
    assert "got the same answer" not in told


def test_a_way_without_a_knee_tells_why() -> None:
    growing = step({"strategy": "bounded", "load": "0.5"}, 0.5, 0.1, 0.001)
    assert notes(load_section(measured(*growing))) == ["no knee: the backlog grew"]


def test_a_variant_is_named_with_its_way() -> None:
    labels = {"strategy": "bounded", "load": "0.5", "variant": "omp_threads=default"}
    rows = tables(load_section(measured(*step(labels, 0.5, 1.1, 0.001))))[0]
    assert rows[0][0] == "bounded, OpenMP default"


def test_without_load_there_is_no_section() -> None:
    assert load_section(measured()) is None


def test_a_reason_that_all_ways_share_is_told_once() -> None:
    ways = [step({"strategy": name, "load": "0.5"}, 0.5, 0.1, 0.001) for name in ("bounded", "to-thread")]
    section = load_section(measured(*ways[0], *ways[1]))
    assert notes(section) == []
    assert texts(section).count("No knee in any way: the backlog grew.") == 1
