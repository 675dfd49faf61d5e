"""Each figure beside its formula, with the numbers of one real query: computed again here, by hand."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.model import Result
from synapse_perf.report.document import Fields, Paragraph
from synapse_perf.report.latency_formulas import formulas_section
from synapse_perf.report.latency_runs import Asked
from synapse_perf.report.sections import sections_of
from tests.analyze.made_latencies import Answer, answers, metric, two_stage
from tests.report.latency_examples import full, result

LABELS = {"tier": "fast", "prefix": "cold", "complexity": "simple"}
# 0.4 s of prefill, 2 s of decoding, 5 ms each of template, tokenise, sampling, detokenise; 100 tokens in, 10 of them
# reused, 21 out.
ANSWER = Answer(0.4, 2.0, 0.02, prompt_tokens=100, reused_tokens=10, tokens=21)


def one_query() -> Result:
    metrics = answers(LABELS, ANSWER, arm="fast", processes=1, waves=(1 / 0.97,))
    return result(*metrics)


def fields(shown: Result) -> dict[str, str]:
    made = formulas_section(Asked(shown))
    assert made is not None
    return {name: text for block in made.blocks if isinstance(block, Fields) for name, text in block.rows}


def test_the_total_is_the_sum_of_its_parts() -> None:
    assert fields(one_query())["total"] == (
        "2.42 s = template 5.00 ms + tokenise 5.00 ms + prefill 400 ms + decode 2.00 s + sampling 5.00 ms + "
        "detokenise 5.00 ms"
    )


def test_the_first_token_is_what_comes_before_it_and_one_sampling() -> None:
    told = fields(one_query())["TTFT"]  # the made answer says 0.41 s
    assert told == (
        "410 ms = template 5.00 ms + tokenise 5.00 ms + prefill 400 ms + sampling and detokenising it 0.00 s"
    )


def test_rates_leave_out_the_first_token_and_what_was_reused() -> None:
    shown = fields(one_query())
    assert shown["tg"].startswith("10.5/s = (21 - 1) tokens / 1.90 s from the first to the last")  # 1/gap = 21/2
    assert shown["tg"].endswith("; by llama_decode alone 10.0/s")  # 20 / 2 s
    assert shown["pp"] == "225/s = (100 - 10 in the KV cache) tokens / prefill 400 ms"


def test_the_one_word_has_both_of_its_values() -> None:
    assert fields(one_query())["TPOT"] == (
        "elsewhere: (total - TTFT) / (n - 1) = 100 ms, or total / n = 115 ms"  # 2.01 s / 20, 2.42 s / 21
    )
    made = formulas_section(Asked(one_query()))
    assert made is not None
    assert isinstance(made.blocks[-1], Paragraph)
    assert "vLLM" in made.blocks[-1].text


def test_a_two_stage_query_has_its_path() -> None:
    shown = fields(result(*two_stage()))
    assert shown["total"].startswith("load the fast model + draft + retrieval")


def test_a_query_without_its_parts_has_none() -> None:
    assert formulas_section(Asked(result(metric("query_latency", LABELS, [[1.0]] * 6, arm="fast")))) is None


def test_a_terminal_shows_them_where_they_were_asked_for() -> None:
    title = "How each figure is computed"
    asked = replace(full(), plan={**full().plan, "explained": True})
    assert title not in [one.title for one in sections_of(full(), is_brief=True)]
    assert title in [one.title for one in sections_of(asked, is_brief=True)]
