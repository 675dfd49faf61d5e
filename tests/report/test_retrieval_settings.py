"""What was searched: a sample is called one, and random weights rank nothing."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.model import Json, Result
from synapse_perf.report.document import Fields
from synapse_perf.report.retrieval_settings import retrieval_settings_section
from tests.report.retrieval_examples import SEARCHED, full, result, retriever, sample
from tests.report.retrieval_experiment_examples import tuned


def settings(shown: Result) -> dict[str, str]:
    section = retrieval_settings_section(shown)
    assert section is not None
    block = section.blocks[0]
    assert isinstance(block, Fields)
    return dict(block.rows)


def searching(**changes: Json) -> Result:
    return replace(result(), workload={"searched": {**SEARCHED, **changes}})


def test_what_was_searched_is_told_without_what_is_said_already() -> None:
    told = settings(full())
    assert told["searched"] == "handbook: 20000 chunks of 1200 documents, Flat"
    assert told["queries"] == "200, held out of the texts"
    assert told["dimensions"] == "the vectors fill about 17.3 of them (95 % 16.1–18.7)"
    assert told["parameters"] == "max artifacts 5, min relevance 0.70, token budget 8000"


def test_a_sample_says_so_and_random_weights_that_rankings_mean_nothing() -> None:
    told = settings(sample())
    assert told["searched"].startswith("sample, not your system: ")
    assert told["encoder"].endswith("rankings mean nothing, times do")
    assert "rankings" not in settings(full())["encoder"]


def test_a_sample_with_a_name_keeps_it() -> None:
    made = replace(searching(label="synthetic"), subject="sample")
    assert settings(made)["searched"].startswith("synthetic (sample, not your system): ")


def test_files_have_sizes_and_of_many_times_the_longest_are_told() -> None:
    assert "files docs.json 1.05 MiB" in settings(retriever())["searched"]
    times = {f"m{n}": n / 1000 for n in range(1, 9)}
    told = settings(searching(imports_s=times))["searched"]
    assert "imports (m8 8.00 ms, m7 7.00 ms, m6 6.00 ms, m5 5.00 ms, m4 4.00 ms)" in told


def test_what_was_seen_of_the_index_tells_its_dimension_and_nothing_else() -> None:
    seen = {"vectors": {"looked_at": 10, "intrinsic_dimension": {"value": 9.0, "low": 8.0, "high": 10.0}}}
    told = settings(replace(result(), workload={"examined": seen}))
    assert told["dimensions"] == "the vectors fill about 9.00 of them (95 % 8.00–10.0)"
    assert "examined" not in told


def test_settings_that_nobody_knows_are_told_as_they_are() -> None:
    told = settings(replace(result(), workload={"rerank": {"top": 5, "took_s": 0.005}, "note": "a word"}))
    assert told["rerank"] == "top 5, took 5.00 ms"
    assert told["note"] == "a word"


def test_of_a_tuning_its_budget_is_told() -> None:
    assert settings(tuned())["tuning"] == "recall 0.95, latency 5.00 ms, memory 500 MiB"


def test_without_settings_there_is_no_section() -> None:
    assert retrieval_settings_section(replace(result(), workload={}, plan={})) is None
