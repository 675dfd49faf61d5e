"""What a terminal shows of tier-latency: every figure that decides, each distribution in a line, on a page or two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Section, Table, Waterfall
from synapse_perf.report.latency_histogram import LINE_BINS, line_of
from synapse_perf.report.render import render
from synapse_perf.report.sections import sections_of
from tests.analyze.made_latencies import Answer, answers, apis, first_answers, tier, two_stage
from tests.report.latency_examples import EXAMPLES, full, result, sample


def console(shown: Result, *, width: int = 80, ascii_only: bool = False) -> str:
    return render(shown, "console", width=width, color=False, ascii_only=ascii_only)


def section(shown: Result, title: str, *, is_brief: bool = True) -> Section:
    return next(one for one in sections_of(shown, is_brief=is_brief) if one.title == title)


def tables(shown: Result, title: str = "Apart from these", *, is_brief: bool = True) -> list[Table]:
    return [block for block in section(shown, title, is_brief=is_brief).blocks if isinstance(block, Table)]


def table(shown: Result, title: str) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for one in tables(shown, title) for row in one.rows]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", EXAMPLES)
def test_it_keeps_to_the_width_of_the_terminal(name: str, width: int) -> None:
    assert max(map(len, console(EXAMPLES[name](), width=width).splitlines())) <= width


def test_a_sample_needs_about_a_hundred_lines() -> None:
    assert len(console(sample()).splitlines()) < 100


def test_a_distribution_is_one_line_from_the_least_to_the_worst() -> None:
    shown = table(full(), "Distribution")
    assert [row[0] for row in shown] == ["fast", "balanced", "deep", "two-stage"]
    assert (shown[0][1], shown[0][3]) == ("1.40 s", "2.05 s")
    assert len(shown[0][2]) == LINE_BINS


def test_the_line_is_as_high_as_a_span_is_full_and_blank_where_nothing_lies() -> None:
    drawn = line_of([1.0] * 8 + [2.0] * 4 + [31.0])
    assert (drawn[0], drawn[1], drawn[-1]) == ("█", "▄", "▁")
    assert set(drawn[2:-1]) == {" "}
    assert line_of([1.0, 1.0])[0] == "█"


def test_the_line_needs_no_more_than_ascii() -> None:
    shown = console(full(), ascii_only=True)
    assert shown.isascii()
    assert "?" not in shown


def test_the_waterfall_has_its_head_in_one_line() -> None:
    (drawn,) = [
        block
        for block in section(full(), "Where the time of the median query goes").blocks
        if isinstance(block, Waterfall)
    ]
    assert drawn.lanes[0].total == ""
    assert drawn.lanes[0].title.startswith("two-stage: 11.7 s, first token after ")


def test_a_samples_targets_are_told_by_the_verdict_alone() -> None:
    titles = [one.title for one in sections_of(sample(), is_brief=True)]
    assert "Targets" not in titles
    assert "Targets" in [one.title for one in sections_of(sample())]
    real = replace(sample(), subject="real")
    assert "Targets" in [one.title for one in sections_of(real, is_brief=True)]


def test_the_settings_name_each_tiers_model_and_what_was_asked() -> None:
    shown = console(full())
    assert "fast      qwen3-0.6b.gguf, qwen3 0.6B Q4_K_M" in shown
    assert "max tokens 64, draft tokens 64" in " ".join(shown.split())
    assert "max time" not in shown
    assert "max time" in render(full(), "md")


def test_what_shows_no_difference_is_only_named() -> None:
    same = apis("fast", "simple", Answer(0.5, 0.5), 1.0)
    shown = result(*tier("fast", "simple", Answer(0.5, 0.5)), *same, *first_answers("fast", "simple", 2.0, 0.5))
    told = " ".join(console(shown).split())
    assert "No difference shown, or too few processes for one: the high-level API (fast)." in told
    assert "high-level API Llama() own loop ratio" not in told
    assert "high-level API" in [column.title for one in tables(shown, is_brief=False) for column in one.columns]
    assert [row[0] for row in table(shown, "Apart from these")] == ["fast"]  # the first query, with its load


def test_what_differs_is_in_its_table() -> None:
    slow = apis("fast", "simple", Answer(0.5, 0.5), 1.5)
    shown = table(result(*tier("fast", "simple", Answer(0.5, 0.5)), *slow), "Apart from these")
    assert shown[0][-1].startswith("1.50× (")


def test_a_tiers_median_query_is_one_line_of_prefill_decode_and_the_rest() -> None:
    rows = table(full(), "Where the time of the median query goes")
    assert [row[0] for row in rows] == ["fast", "balanced", "deep"]
    assert rows[0][1:3] == ["1.55 s", "60 in, 64 out"]
    assert rows[0][3] == 11 * "▃" + 28 * "█" + "▁"
    assert {len(row[3]) for row in rows} == {40}


def test_what_lies_aside_on_a_two_stage_path_is_told_where_it_is_felt() -> None:
    def labels(seconds: float) -> list[str]:
        blocks = section(result(*two_stage(cutting=seconds)), "Where the time of the median query goes").blocks
        return [bar.label for block in blocks if isinstance(block, Waterfall) for bar in block.lanes[0].bars]

    assert "cut context" not in labels(0.01)
    assert "cut context" in labels(1.0)


def test_a_trial_counts_once_however_many_rows_come_of_it() -> None:
    metrics = (*tier("fast", "simple", Answer(0.5, 0.5)), *first_answers("fast", "simple", 2.0, 0.5))
    assert " · 6 trials in " in console(result(*metrics), width=120)


# --- the other prefix, or an overlap, is judged ----------------------------------------------------------------------


def judged_warm() -> list[Metric]:
    """The judged queries have their prompt in the KV cache, those beside them have not."""
    warm = {"tier": "fast", "prefix": "warm", "complexity": "simple"}
    cold = {**warm, "prefix": "cold", "variant": "prefix=cold"}
    return [
        *answers(warm, Answer(0.05, 0.5, reused_tokens=59), arm="fast"),
        *answers(cold, Answer(0.5, 0.5), arm="fast prefix=cold"),
    ]


def test_cold_stands_before_warm_whichever_is_judged() -> None:
    row = table(result(*judged_warm()), "Apart from these")[0]
    cold, warm = row[1].split(" / ")
    assert (cold, warm) == ("511 ms", "52.1 ms")
    assert row[-1] == "59 of 60"


def test_the_verdict_says_that_the_prompt_was_in_the_cache() -> None:
    assert "Fast with its prompt in the KV cache: p90 " in " ".join(console(result(*judged_warm())).split())


def test_what_is_no_overlap_stands_beside_one_that_is_judged() -> None:
    staged = [*two_stage(swap__refinement=0.6), *two_stage("overlap=none")]
    row = table(result(*tier("fast", "simple", Answer(0.5, 0.5)), *staged), "Apart from these")[0]
    assert row[0] == "nothing"


def test_a_two_stage_query_says_what_its_prompt_holds() -> None:
    staged = two_stage()
    latency = staged[0]
    facts = {"draft.generated_tokens": (32, 32, 32), "context_tokens": (120, 200, 256)}
    trials = tuple(replace(one, facts={**one.facts, **facts}) for one in latency.trials)
    shown = result(replace(latency, trials=trials), *staged[1:])
    (rates,) = [one for one in section(shown, "Latency of a query").blocks[1:] if isinstance(one, Table)]
    assert rates.rows[0].note == "its prompt holds a draft of 32 tokens and 120–256 tokens of what was retrieved"
