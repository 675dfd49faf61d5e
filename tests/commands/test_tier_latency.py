"""tier-latency from the command line to the report, on models of a few megabytes, in real processes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import jsonschema
import pytest

from tests.commands.latency_runs import ONCE, PROMPTS, SHORT, Place, make_place, measured_tiers, rows, told_here
from tests.faults.program import Told, loads, run, started, unfinished
from tests.llama.small_models import Shape, write_model

TIERS = {"fast", "balanced", "deep", "two-stage"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("tier-latency"))


@pytest.fixture(scope="module")
def measured(place: Place) -> Told:
    outputs = ("-o", place.folder / "result.json", "-o", place.folder / "report.md")
    return place.ask(*place.documents, "--system", "Be brief.", "--temperature", "0.5", *outputs)


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_sample_works_here_and_is_no_verdict(measured: Told) -> None:
    """The weights are random."""
    assert measured.code == 0, measured.err
    assert measured.result["subject"] == "sample"
    assert {(check["target"], check["status"]) for check in measured.result["checks"]} == {
        (f"query-{tier}", "not-measured") for tier in TIERS
    }
    assert measured.result["failures"] == []


def test_stdout_is_one_document_that_the_schema_describes_and_the_file_is_the_same(
    place: Place, measured: Told
) -> None:
    document = json.loads(measured.out)
    jsonschema.validate(document, run("schema", env=place.env).result)

    assert json.loads((place.folder / "result.json").read_text()) == document


def test_each_query_is_asked_of_the_tier_that_its_score_leads_to(measured: Told) -> None:
    asked = {metric["labels"]["tier"]: metric["labels"].get("complexity") for metric in rows(measured)}
    assert asked == {"fast": "simple", "balanced": "moderate", "deep": "complex", "two-stage": None}
    for tier in ("fast", "balanced", "deep"):
        (metric,) = rows(measured, tier=tier)
        assert set(metric["trials"][0]["facts"]["routed_tier"]) == {tier}


def test_answers_are_as_long_as_was_asked_and_no_prompt_was_in_the_cache(measured: Told) -> None:
    for tier in sorted(TIERS):
        (metric,) = rows(measured, tier=tier)
        for trial in metric["trials"]:
            assert set(trial["facts"]["generated_tokens"]) == {4}
            assert set(trial["facts"]["reused_tokens"]) == {0}


def test_a_two_stage_query_drafts_retrieves_and_refines(measured: Told) -> None:
    (staged,) = rows(measured, tier="two-stage")
    facts = staged["trials"][0]["facts"]
    assert set(facts["draft.generated_tokens"]) == {4}
    assert set(facts["context_tokens"]) == {24}
    assert {metric["labels"]["phase"] for metric in rows(measured, "phase_time", tier="two-stage")} >= {
        "draft", "retrieval", "swap.refinement", "prefill", "generation",
    }  # fmt: skip


def test_what_is_compared_stands_apart_from_what_is_judged(measured: Told) -> None:
    variants = {metric["labels"]["variant"] for metric in measured.result["metrics"] if "variant" in metric["labels"]}
    assert variants == {
        "first", "after-swap", "prefix=warm", "api=own-loop", "api=high-level", "overlap=load", "overlap=retrieval",
        "first overlap=load", "first overlap=retrieval",
    }  # fmt: skip
    judged = {check["metric"] for check in measured.result["checks"]}
    assert not any("variant" in key for key in judged)
    (warm,) = rows(measured, tier="fast", variant="prefix=warm")
    facts = warm["trials"][0]["facts"]
    assert facts["reused_tokens"] == [count - 1 for count in facts["prompt_tokens"]]


def test_the_result_tells_what_was_asked_but_neither_prompts_nor_paths(place: Place, measured: Told) -> None:
    workload = measured.result["workload"]
    assert workload["tiers"]["deep"]["context"] == 512
    assert (workload["queries"], workload["max_tokens"], workload["temperature"]) == (len(PROMPTS), 4, 0.5)
    assert not any(prompt in measured.out for prompt in (*PROMPTS, "Be brief."))
    assert str(place.folder) not in measured.out


def test_the_markdown_has_every_section_and_every_formula(place: Place, measured: Told) -> None:
    titles = [line[3:] for line in (place.folder / "report.md").read_text().splitlines() if line.startswith("## ")]
    assert titles[:1] == ["Latency of a query"]
    assert {"Where the time of the median query goes", "Apart from these", "How each figure is computed"} < set(titles)


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_last_run_is_shown_again_in_a_page_or_two_of_any_width(place: Place, measured: Told, columns: str) -> None:
    again = run("report", "last", env={**place.env, "COLUMNS": columns})

    assert again.code == 0
    assert again.out.startswith("NOT MEASURED: works here (sample, not your system)\nFast: ")
    assert len(again.out.splitlines()) < 120
    assert max(map(len, again.out.splitlines())) <= int(columns)
    assert "How each figure is computed" not in again.out


def test_a_run_is_compared_with_a_baseline_of_the_same_work(place: Place, measured: Told) -> None:
    quick = ("--no-variants", "--system", "Be brief.", "--temperature", "0.5", *place.documents)
    told = place.ask(*quick, "--baseline", place.folder / "result.json")

    assert told.code != 5, told.err
    compared = {one["metric"] for one in told.result["comparisons"]}
    assert "query_latency{complexity=simple,prefix=cold,tier=fast}" in compared


def test_explain_shows_each_formula_with_its_numbers(place: Place) -> None:
    words = ("--no-variants", "--no-two-stage", "--explain", "--format", "console")
    told = place.ask(*words, tiers=("--tier", f"fast={place.small}"))

    assert told.code == 0, told.err
    text = " ".join(told.out.split())
    assert "How each figure is computed" in text
    assert "ITL" in text
    assert "(4 - 1) tokens /" in text


# --- which case is judged --------------------------------------------------------------------------------------------


def test_a_warm_prefix_and_an_overlap_are_judged_where_they_are_asked_for(place: Place) -> None:
    told = place.ask("--prefix", "warm", "--overlap", "load+retrieval", "--no-variants", *place.documents)

    judged = {check["target"]: check["metric"] for check in told.result["checks"]}
    assert judged["query-fast"] == "query_latency{complexity=simple,prefix=warm,tier=fast}"
    (fast,) = rows(told, tier="fast")
    assert 0 not in fast["trials"][0]["facts"]["reused_tokens"]
    (staged,) = rows(told, tier="two-stage")
    assert staged["trials"][0]["arm"] == "two-stage"
    assert measured_tiers(told) == TIERS


def test_an_index_is_searched_as_it_is_and_models_that_all_stay_are_never_swapped(place: Place, measured: Told) -> None:
    (index,) = (place.folder / "cache" / "retrieval").glob("*/docs.index")
    searched = ("--index", index, "--encoder", place.encoder, "--min-relevance", "-1")
    told = place.ask("--no-variants", "--resident", "all", *searched)

    assert told.code == 0, told.err
    (staged,) = rows(told, tier="two-stage")
    assert set(staged["trials"][0]["facts"]["context_tokens"]) == {24}
    assert set(staged["trials"][0]["facts"]["load_s"]) == {None}
    assert told.result["workload"]["resident"] == "all"


def test_the_users_own_retriever_finds_the_context(place: Place, tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text("def build():\n    return lambda query: ['A page is a block of memory.'] * 2\n")
    tiers = ("--tier", f"fast={place.small}", "--tier", f"balanced={place.small}")
    told = place.ask("--no-variants", "--retriever", "ours:build", tiers=tiers, cwd=tmp_path)

    assert told.code == 0, told.err
    (staged,) = rows(told, tier="two-stage")
    assert set(staged["trials"][0]["facts"]["results"]) == {2}
    assert told.result["workload"]["retrieved_from"] == "ours:build, a retriever of the user's"


# --- verdicts of models that are no samples --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Eight queries in each of six processes are enough for a p90 that none misses, or every one."""
    model = write_model(tmp_path_factory.mktemp("real") / "real.gguf", Shape(architecture="llama"))
    tiers = ("--tier", f"fast={model}", "--tier", f"balanced={model}")
    many = ("--no-variants", "--no-two-stage", "--trials", "6", "--queries-per-process", "8", "--seed", "1")
    output = ("--target", "query-balanced<1us", "--format", "json", "--quiet")
    return run("tier-latency", *tiers, *place.queries, *SHORT, *many, *output, env=place.env)


def test_a_tier_under_its_limit_passes_and_one_over_it_fails(judged: Told) -> None:
    """Where the machine was crowded meanwhile, the miss is inconclusive."""
    checks = {check["target"]: check for check in judged.result["checks"]}
    assert judged.result["subject"] == "real"
    assert checks["query-fast"]["status"] == "pass"
    missed = checks["query-balanced"]
    assert missed["status"] == "fail" or "crowded" in missed["reason"]
    assert judged.code == {"fail": 1, "inconclusive": 3}[missed["status"]]
    assert judged.result["verdict"] == missed["status"]


def test_queries_without_a_model_are_told_before_anything_is_measured(judged: Told) -> None:
    assert any("without a model, which are not asked: 1 for deep" in text for text in judged.result["warnings"])


# --- beside measuring ------------------------------------------------------------------------------------------------


def test_a_dry_run_measures_nothing_and_saves_nothing(place: Place, tmp_path: Path) -> None:
    env = {"SYNAPSE_PERF_CACHE_DIR": str(tmp_path / "cache"), "SYNAPSE_PERF_STATE_DIR": str(tmp_path / "state")}
    told = place.here(*place.documents, "--dry-run", env=env, cwd=tmp_path)

    assert told.code == 0, told.err
    names = [step["name"] for step in told.result["steps"]]
    assert names[:4] == ["fast", "balanced", "deep", "two-stage"]
    assert "two-stage overlap=load" in names
    assert [step["is_at_most"] for step in told.result["steps"]][:5] == [False, False, False, False, True]
    assert any("prepared before, outside this time" in note for note in told.result["notes"])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_flame_graph_is_one_more_trial_that_no_figure_has(place: Place, tmp_path: Path) -> None:
    graph = tmp_path / "stacks.txt"
    words = ("--no-variants", "--no-two-stage", "--flamegraph", graph)
    told = place.ask(*words, tiers=("--tier", f"fast={place.small}"))

    assert told.code == 0, told.err
    assert {metric["summary"]["processes"] for metric in rows(told)} == {1}
    assert "_generate" in graph.read_text() or "no flame graph" in str(told.result["warnings"])


def test_a_baseline_that_is_not_there_is_told_before_anything_is_measured(place: Place, tmp_path: Path) -> None:
    told = place.here("--baseline", "nowhere", cwd=tmp_path)
    assert told.code == 5
    assert told.out == ""


def test_an_interrupt_keeps_what_was_finished(place: Place, tmp_path: Path) -> None:
    """Two processes are finished, the third hangs."""
    hanging = tmp_path / "hang-3-x.gguf"
    os.link(place.small, hanging)
    output, alone = tmp_path / "result.json", ("--no-variants", "--no-two-stage", "-r", "9")
    asked = ("tier-latency", "--tier", f"fast={hanging}", *place.queries, *SHORT, *ONCE, *alone, "-o", output)

    with started(*asked, env=place.env) as running:
        running.wait_for(lambda: loads(hanging) == 3)
        running.send(signal.SIGINT)
        told = running.end()

    assert told.code == 130, told.err
    assert "interrupted: the report has what was finished" in told.err
    kept = json.loads(output.read_text())
    assert {metric["summary"]["processes"] for metric in kept["metrics"] if metric["name"] == "query_latency"} == {2}
    assert kept["plan"]["stopped"] == "interrupted"
    assert unfinished(tmp_path, place.folder / "state") == []


def test_a_machine_without_models_gets_the_samples_with_the_lengths_of_their_profile(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE", "XDG_CACHE_HOME"))
    env = {**nothing, "SYNAPSE_PERF_STATE_DIR": str(tmp_path / "state"), "HOME": str(tmp_path)}
    words = ("tier-latency", "--dry-run", "--no-two-stage", "--format", "json")
    told = told_here(*words, env=env, cwd=tmp_path)

    assert told.code == 0, told.err
    assert told.result["profile"] == "embedded"
    assert told.result["max_time_s"] == 180.0
    assert [step["name"] for step in told.result["steps"]][:3] == ["fast", "balanced", "deep"]
